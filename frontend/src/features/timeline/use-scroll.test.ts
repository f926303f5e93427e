import { act, renderHook } from "@testing-library/react";
import type { VirtualizerHandle } from "virtua";
import { describe, expect, it, vi } from "vitest";
import type { Row } from "./rows";
import { useScroll } from "./use-scroll";

const VIEWPORT = 500;
const ROW = 50;

/** A list of rows of one height, and the reader in front of it. */
function reader(count: number) {
  const setAtEnd = vi.fn();
  const place = { scrollOffset: 0, scrollSize: 0, viewportSize: VIEWPORT, scrollToIndex: vi.fn() };
  const rowsOf = (n: number) =>
    Array.from({ length: n }, (_, index) => ({ kind: "message", key: `m${index}` }) as unknown as Row<never>);
  const options = (n: number) => ({ rows: rowsOf(n), isLoaded: true, loadOlder: vi.fn(), setAtEnd });
  const hook = renderHook((props: ReturnType<typeof options>) => useScroll<never>(props), {
    initialProps: { ...options(count), isLoaded: false },
  });
  (hook.result.current.list as { current: unknown }).current = place as unknown as VirtualizerHandle;
  const grow = (n: number) => {
    place.scrollSize = n * ROW;
    hook.rerender(options(n));
  };
  const scrollTo = (offset: number) => {
    place.scrollOffset = offset;
    act(() => hook.result.current.onScroll());
  };
  grow(count);
  scrollTo(count * ROW - VIEWPORT);
  return { place, grow, scrollTo, atEnd: () => setAtEnd.mock.lastCall?.[0] as boolean };
}

describe("a reader at the end", () => {
  it("stays there when rows come faster than the list follows", () => {
    const { place, grow, scrollTo, atEnd } = reader(100);
    place.scrollToIndex.mockClear();
    for (const count of [140, 180, 220]) {
      grow(count);
      // The list moves, and is late: by now the end is further on.
      scrollTo(place.scrollOffset + ROW);
      expect(atEnd()).toBe(true);
      expect(place.scrollToIndex).toHaveBeenLastCalledWith(count - 1, { align: "end" });
    }
  });

  it("leaves it by going up, and is back by coming down to it", () => {
    const { place, grow, scrollTo, atEnd } = reader(100);
    scrollTo(2_000);
    expect(atEnd()).toBe(false);
    place.scrollToIndex.mockClear();
    grow(101);
    expect(place.scrollToIndex).not.toHaveBeenCalled();
    scrollTo(3_000);
    expect(atEnd()).toBe(false);
    scrollTo(101 * ROW - VIEWPORT);
    expect(atEnd()).toBe(true);
  });
});
