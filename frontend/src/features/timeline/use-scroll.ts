import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef } from "react";
import type { VirtualizerHandle } from "virtua";
import type { Row, RowMessage } from "./rows";

/** Within this distance, the reader counts as being at the end. */
const END_SLACK_PX = 48;
/** Time for which a row that was scrolled to is kept in place after the rows around it were last measured. */
const PIN_MS = 500;
/** Time after which a row is no longer kept in place, even if rows are still being measured, as in a busy room. */
const LONGEST_PIN_MS = 5_000;
/** Distance from the top at which the next older page is requested. */
const OLDER_AHEAD_PX = 600;
/** Space above the line that marks unread messages. */
const ABOVE_NEW_PX = 72;

interface ScrollOptions<Message extends RowMessage> {
  rows: readonly Row<Message>[];
  isLoaded: boolean;
  loadOlder(): void;
  setAtEnd(isAtEnd: boolean): void;
}

export interface TimelineScroll {
  list: RefObject<VirtualizerHandle | null>;
  /** The scroll container, and its content. */
  container: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  /** True for the render that adds older rows: the list then keeps its distance from the end. */
  isPrepend: boolean;
  toEnd(): void;
  /** Scrolls a row into view if necessary, and leaves the end unless it is the last row. */
  toRow(index: number): void;
  onScroll(): void;
  /** Called when the reader scrolls, in any direction. */
  onInput(): void;
  /** Called when the reader scrolls up from the end by wheel, touch or key. */
  onLeave(): void;
}

/**
 * Sticks to the end while the reader is there, and keeps its position otherwise. The list's own `scrollToIndex` is not
 * used: it keeps scrolling until every row is measured, and reverts the reader's own scrolling meanwhile.
 */
export function useScroll<Message extends RowMessage>({
  rows,
  isLoaded,
  loadOlder,
  setAtEnd,
}: ScrollOptions<Message>): TimelineScroll {
  const list = useRef<VirtualizerHandle>(null);
  const container = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const isPlaced = useRef(false);
  const lastOffset = useRef(0);
  /** Row to which the list is temporarily pinned, instead of the end. */
  const pin = useRef<(() => number) | null>(null);
  const pinnedAt = useRef(0);
  const unpin = useRef<ReturnType<typeof setTimeout>>(undefined);
  const unpinFrame = useRef(0);

  const firstKey = rows.find((row) => row.kind === "message")?.key;
  const previousFirst = useRef(firstKey);
  const isPrepend =
    previousFirst.current !== undefined &&
    previousFirst.current !== firstKey &&
    rows.some((row) => row.key === previousFirst.current);
  useLayoutEffect(() => {
    previousFirst.current = firstKey;
  }, [firstKey]);

  const count = rows.length;
  const keep = useCallback(() => {
    const log = container.current;
    if (!log) return;
    if (pin.current) log.scrollTop = pin.current();
    else if (sticks.current) log.scrollTop = log.scrollHeight;
  }, []);

  const onScroll = useCallback(() => {
    const handle = list.current;
    if (!handle || !isPlaced.current) return;
    const isEnd = handle.scrollOffset + handle.viewportSize >= handle.scrollSize - END_SLACK_PX;
    // Only scrolling up leaves the end. In a busy room the end moves away before the list has followed.
    if (isEnd && !pin.current) sticks.current = true;
    else if (!isEnd && handle.scrollOffset < lastOffset.current) sticks.current = false;
    lastOffset.current = handle.scrollOffset;
    setAtEnd(sticks.current || isEnd);
    if (handle.scrollOffset < OLDER_AHEAD_PX) loadOlder();
  }, [loadOlder, setAtEnd]);

  const latestOnScroll = useRef(onScroll);
  useLayoutEffect(() => {
    latestOnScroll.current = onScroll;
  }, [onScroll]);

  // Rows are found by key, since older rows that load meanwhile shift every index.
  const latest = useRef(rows);
  useLayoutEffect(() => {
    latest.current = rows;
  }, [rows]);
  const stopUnpinning = useCallback(() => {
    clearTimeout(unpin.current);
    cancelAnimationFrame(unpinFrame.current);
  }, []);
  const unpinSoon = useCallback(() => {
    stopUnpinning();
    const inNextFrame = (then: () => void) => {
      unpinFrame.current = requestAnimationFrame(then);
    };
    const release = () => {
      pin.current = null;
      latestOnScroll.current();
    };
    // Rows are measured at the end of a frame, and on a busy machine the next frame may be seconds away.
    unpin.current = setTimeout(() => inNextFrame(() => inNextFrame(release)), PIN_MS);
  }, [stopUnpinning]);
  const pinTo = useCallback(
    (key: string | undefined, place: (handle: VirtualizerHandle, index: number) => number) => {
      pin.current = () => {
        const index = latest.current.findIndex((row) => row.key === key);
        return list.current && index >= 0 ? place(list.current, index) : (container.current?.scrollTop ?? 0);
      };
      pinnedAt.current = performance.now();
      unpinSoon();
      keep();
    },
    [keep, unpinSoon],
  );
  useEffect(() => stopUnpinning, [stopUnpinning]);

  const toEnd = useCallback(() => {
    pin.current = null;
    sticks.current = true;
    keep();
  }, [keep]);

  const toRow = useCallback(
    (index: number) => {
      const handle = list.current;
      if (!handle) return;
      if (index < count - 1) sticks.current = false;
      const top = handle.getItemOffset(index) - handle.scrollOffset;
      const isShown = top >= 0 && top + handle.getItemSize(index) <= handle.viewportSize;
      if (isShown) return;
      pinTo(
        latest.current[index]?.key,
        (now, at) => now.getItemOffset(at) + (now.getItemSize(at) - now.viewportSize) / 2,
      );
    },
    [count, pinTo],
  );

  const newIndex = rows.findIndex((row) => row.kind === "new");
  useLayoutEffect(() => {
    if (!isLoaded || count === 0) return;
    if (!isPlaced.current) {
      isPlaced.current = true;
      if (newIndex > 0) {
        sticks.current = false;
        pinTo("new", (handle, index) => handle.getItemOffset(index) - ABOVE_NEW_PX);
        return;
      }
    }
    keep();
  }, [count, isLoaded, newIndex, keep, pinTo]);

  // A page shorter than the screen cannot be scrolled, so older messages are requested without scrolling.
  useEffect(() => {
    if (isLoaded && count > 0) onScroll();
  }, [isLoaded, count, onScroll]);

  // Runs before the next paint whenever a row was measured, or the window or the touch keyboard changed its size.
  useEffect(() => {
    if (!isLoaded || !container.current || !content.current) return;
    const observer = new ResizeObserver(() => {
      keep();
      if (pin.current && performance.now() - pinnedAt.current < LONGEST_PIN_MS) unpinSoon();
      if (!sticks.current) onScroll();
    });
    observer.observe(container.current);
    observer.observe(content.current);
    return () => observer.disconnect();
  }, [isLoaded, keep, onScroll, unpinSoon]);

  const onInput = useCallback(() => {
    pin.current = null;
  }, []);
  // A scroll event comes too late: a message arriving before it would pull the reader back down.
  const onLeave = useCallback(() => {
    pin.current = null;
    sticks.current = false;
  }, []);

  return { list, container, content, isPrepend, toEnd, toRow, onScroll, onInput, onLeave };
}
