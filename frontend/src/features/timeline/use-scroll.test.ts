import { act, renderHook } from "@testing-library/react";
import type { VirtualizerHandle } from "virtua";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Row } from "./rows";
import { useScroll } from "./use-scroll";

const VIEWPORT = 500;
const ROW = 50;

/** A list of rows of equal height, and its reader. */
function reader(count: number, newIndex?: number) {
  let resized = () => {};
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(callback: () => void) {
        resized = callback;
      }
      observe() {}
      disconnect() {}
    },
  );
  const setAtEnd = vi.fn();
  // Like in a browser, the container never scrolls beyond its end.
  let top = 0;
  const log = {
    scrollHeight: 0,
    get scrollTop() {
      return top;
    },
    set scrollTop(to: number) {
      top = Math.max(0, Math.min(to, log.scrollHeight - VIEWPORT));
    },
  };
  const list: Partial<VirtualizerHandle> = {
    get scrollOffset() {
      return log.scrollTop;
    },
    get scrollSize() {
      return log.scrollHeight;
    },
    viewportSize: VIEWPORT,
    getItemOffset: (index) => index * ROW,
    getItemSize: () => ROW,
  };
  const rowsOf = (n: number) =>
    Array.from({ length: n }, (_, index) => ({
      kind: index === newIndex ? "new" : "message",
      key: index === newIndex ? "new" : `m${index}`,
    })) as unknown as Row<never>[];
  const options = (n: number) => ({ rows: rowsOf(n), isLoaded: true, loadOlder: vi.fn(), setAtEnd });
  const hook = renderHook((props: ReturnType<typeof options>) => useScroll<never>(props), {
    initialProps: { ...options(count), isLoaded: false },
  });
  const place = (ref: object, value: unknown) => Object.assign(ref, { current: value });
  place(hook.result.current.list, list);
  place(hook.result.current.container, log);
  place(hook.result.current.content, {});

  const measure = (height: number) => {
    log.scrollHeight = height;
    act(() => resized());
  };
  const grow = (n: number) => {
    hook.rerender(options(n));
    measure(n * ROW);
  };
  const scrollTo = (offset: number) => {
    log.scrollTop = offset;
    act(() => hook.result.current.onScroll());
  };
  grow(count);
  act(() => hook.result.current.onScroll());
  return { log, grow, measure, scrollTo, hook, atEnd: () => setAtEnd.mock.lastCall?.[0] as boolean };
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a reader at the end", () => {
  it("stays there when rows are added and when they turn out taller than estimated", () => {
    const { log, grow, measure, atEnd } = reader(100);
    expect(log.scrollTop).toBe(100 * ROW - VIEWPORT);
    for (const count of [140, 180, 220]) {
      grow(count);
      measure(count * ROW + 30);
      expect(log.scrollTop).toBe(count * ROW + 30 - VIEWPORT);
      expect(atEnd()).toBe(true);
    }
  });

  it("leaves it by scrolling up and returns by scrolling down to it", () => {
    const { log, grow, scrollTo, atEnd } = reader(100);
    scrollTo(2_000);
    expect(atEnd()).toBe(false);
    grow(101);
    expect(log.scrollTop).toBe(2_000);
    scrollTo(3_000);
    expect(atEnd()).toBe(false);
    scrollTo(101 * ROW - VIEWPORT);
    expect(atEnd()).toBe(true);
  });

  it("is released by the wheel event, before the list reports a scroll", () => {
    const { log, hook, measure } = reader(100);
    act(() => hook.result.current.onLeave());
    log.scrollTop -= 300;
    const left = log.scrollTop;
    // Rows above become visible, and are measured.
    for (const more of [20, 40, 60]) measure(100 * ROW + more);
    expect(log.scrollTop).toBe(left);
  });
});

describe("a reader who returns to unread messages", () => {
  it("stays at the line while rows are measured, until they scroll", () => {
    const { log, hook, measure } = reader(100, 60);
    expect(log.scrollTop).toBe(60 * ROW - 72);
    log.scrollTop = 0;
    measure(100 * ROW + 1);
    expect(log.scrollTop).toBe(60 * ROW - 72);
    act(() => hook.result.current.onInput());
    log.scrollTop = 1_000;
    measure(100 * ROW + 2);
    expect(log.scrollTop).toBe(1_000);
  });

  it("stays at the line however long the first rows and older ones take to be measured", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    let frames: (() => void)[] = [];
    vi.stubGlobal("requestAnimationFrame", (callback: () => void) => frames.push(callback));
    vi.stubGlobal("cancelAnimationFrame", () => {
      frames = [];
    });
    const frame = () =>
      act(() => {
        for (const callback of frames.splice(0)) callback();
      });
    const pass = (ms: number) => act(() => vi.advanceTimersByTime(ms));
    const { log, measure } = reader(100, 60);
    const isAtLine = (height: number) => {
      log.scrollTop = 0;
      measure(height);
      return log.scrollTop === 60 * ROW - 72;
    };
    // The page gets no frame, and without one nothing is measured.
    pass(3_000);
    frame();
    expect(isAtLine(100 * ROW + 1)).toBe(true);
    // Each measurement may be followed by another one.
    pass(400);
    frame();
    expect(isAtLine(100 * ROW + 2)).toBe(true);
    pass(400);
    frame();
    frame();
    expect(isAtLine(100 * ROW + 3)).toBe(true);
    pass(600);
    frame();
    frame();
    expect(isAtLine(100 * ROW + 4)).toBe(false);
  });

  it("leaves the line in a busy room, where rows are measured all the time", () => {
    vi.useFakeTimers();
    const { log, measure } = reader(100, 60);
    for (let more = 1; more <= 60; more++) {
      act(() => vi.advanceTimersByTime(200));
      measure(100 * ROW + more);
    }
    log.scrollTop = 1_000;
    measure(100 * ROW);
    expect(log.scrollTop).toBe(1_000);
  });
});
