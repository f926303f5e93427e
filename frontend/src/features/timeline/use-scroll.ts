import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef } from "react";
import type { VirtualizerHandle } from "virtua";
import type { Row, RowMessage } from "./rows";

/** Within this distance, the reader counts as being at the end. */
const END_SLACK_PX = 48;
/** Time for which a row that was scrolled to is kept in place after the rows around it were last measured. */
const PIN_MS = 500;
/** Time after which a row is no longer kept in place, even if rows are still being measured, as in a busy room. */
const LONGEST_PIN_MS = 5_000;
/** The same, until the reader has scrolled: a line that was scrolled to must not be pushed out of the view. */
const END_SLACK_UNMOVED_PX = 1;
/** Distance from either end at which the next page is requested. */
const AHEAD_PX = 600;
/** Space between a row that was chosen by key and the edge of the view. */
const EDGE_PX = 8;
/** Space above the line that marks unread messages. */
const ABOVE_NEW_PX = 72;

interface ScrollOptions<Message extends RowMessage> {
  rows: readonly Row<Message>[];
  isLoaded: boolean;
  loadOlder(): void;
  /** True if the end of the loaded messages is not the newest one. */
  hasNewer?: boolean;
  loadNewer?(): void;
  /** True to begin at the line above new messages instead of the end. */
  beginsAtLine?: boolean;
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
  /** Scrolls a row to the place of the line, or to the middle. */
  toKey(key: string, place: "line" | "middle"): void;
  /** Scrolls a row into view if necessary, to the middle or just inside, and leaves the end unless it is the last row. */
  toRow(index: number, place?: "middle" | "edge"): void;
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
  hasNewer = false,
  loadNewer,
  beginsAtLine = true,
  setAtEnd,
}: ScrollOptions<Message>): TimelineScroll {
  const list = useRef<VirtualizerHandle>(null);
  const container = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const isPlaced = useRef(false);
  const hasMoved = useRef(true);
  const lastOffset = useRef(0);
  /** Row to which the list is temporarily pinned, instead of the end. */
  const pin = useRef<(() => number) | null>(null);
  const pinnedAt = useRef(0);
  const unpin = useRef<ReturnType<typeof setTimeout>>(undefined);
  const unpinFrame = useRef(0);

  const firstKey = rows.find((row) => row.kind === "message")?.key;
  const previous = useRef({ firstKey, rows });
  const had = previous.current;
  // Rows were added at the beginning, or removed there.
  const isPrepend =
    had.firstKey !== undefined &&
    had.firstKey !== firstKey &&
    (rows.some((row) => row.key === had.firstKey) || had.rows.some((row) => row.key === firstKey));
  useLayoutEffect(() => {
    previous.current = { firstKey, rows };
  }, [firstKey, rows]);

  const count = rows.length;
  const keep = useCallback(() => {
    const log = container.current;
    if (!log) return;
    if (pin.current) log.scrollTop = pin.current();
    else if (sticks.current && !hasNewer) log.scrollTop = log.scrollHeight;
  }, [hasNewer]);

  const onScroll = useCallback(() => {
    const handle = list.current;
    if (!handle || !isPlaced.current) return;
    const left = handle.scrollSize - handle.scrollOffset - handle.viewportSize;
    const isEnd = !hasNewer && left <= END_SLACK_PX;
    // Only scrolling up leaves the end. In a busy room the end moves away before the list has followed.
    if (isEnd && !pin.current && (hasMoved.current || left <= END_SLACK_UNMOVED_PX)) sticks.current = true;
    else if (!isEnd && handle.scrollOffset < lastOffset.current) sticks.current = false;
    if (hasNewer) sticks.current = false;
    lastOffset.current = handle.scrollOffset;
    setAtEnd(sticks.current || isEnd);
    if (handle.scrollOffset < AHEAD_PX) loadOlder();
    if (hasNewer && left < AHEAD_PX) loadNewer?.();
  }, [loadOlder, hasNewer, loadNewer, setAtEnd]);

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

  const toKey = useCallback(
    (key: string, place: "line" | "middle") => {
      sticks.current = false;
      hasMoved.current = false;
      pinTo(key, (now, at) => {
        const top = now.getItemOffset(at);
        return place === "line" ? top - ABOVE_NEW_PX : top + (now.getItemSize(at) - now.viewportSize) / 2;
      });
    },
    [pinTo],
  );

  const toEnd = useCallback(() => {
    hasMoved.current = true;
    pin.current = null;
    sticks.current = true;
    keep();
  }, [keep]);

  const toRow = useCallback(
    (index: number, place: "middle" | "edge" = "middle") => {
      const handle = list.current;
      if (!handle) return;
      if (index < count - 1) sticks.current = false;
      const top = handle.getItemOffset(index) - handle.scrollOffset;
      const isShown = top >= 0 && top + handle.getItemSize(index) <= handle.viewportSize;
      if (isShown) return;
      pinTo(latest.current[index]?.key, (now, at) => {
        const [start, spare] = [now.getItemOffset(at), now.viewportSize - now.getItemSize(at)];
        if (place === "middle" || spare < 0) return start - spare / 2;
        return top < 0 ? start - EDGE_PX : start - spare + EDGE_PX;
      });
    },
    [count, pinTo],
  );

  const newIndex = rows.findIndex((row) => row.kind === "new");
  useLayoutEffect(() => {
    if (!isLoaded || count === 0) return;
    if (!isPlaced.current) {
      isPlaced.current = true;
      if (newIndex > 0 && beginsAtLine) {
        toKey("new", "line");
        return;
      }
    }
    keep();
  }, [count, isLoaded, newIndex, beginsAtLine, keep, toKey]);

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
    hasMoved.current = true;
    pin.current = null;
  }, []);
  // A scroll event comes too late: a message arriving before it would pull the reader back down.
  const onLeave = useCallback(() => {
    hasMoved.current = true;
    pin.current = null;
    sticks.current = false;
  }, []);

  return { list, container, content, isPrepend, toEnd, toKey, toRow, onScroll, onInput, onLeave };
}
