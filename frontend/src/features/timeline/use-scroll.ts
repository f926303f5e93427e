import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef } from "react";
import type { VirtualizerHandle } from "virtua";
import type { Row, RowMessage } from "./rows";

/** Nearer to the end than this counts as being there. */
const END_SLACK_PX = 48;
/** Older pages are asked for before the reader reaches the top. */
const OLDER_AHEAD_PX = 600;

interface ScrollOptions<Message extends RowMessage> {
  rows: readonly Row<Message>[];
  isLoaded: boolean;
  loadOlder(): void;
  setAtEnd(isAtEnd: boolean): void;
}

export interface TimelineScroll {
  list: RefObject<VirtualizerHandle | null>;
  /** True for the render in which older rows came: the list then keeps its place from the end. */
  isPrepend: boolean;
  toEnd(): void;
  /** Brings a row into view, if it is not there already, and leaves the end unless it is the last. */
  toRow(index: number): void;
  onScroll(): void;
  onResize(): void;
  /** The reader turns away from the end: by wheel, by touch, by key. */
  onLeave(): void;
}

/** Stays at the end while the reader is there, and stays put while the reader is elsewhere. */
export function useScroll<Message extends RowMessage>({
  rows,
  isLoaded,
  loadOlder,
  setAtEnd,
}: ScrollOptions<Message>): TimelineScroll {
  const list = useRef<VirtualizerHandle>(null);
  const sticks = useRef(true);
  const isPlaced = useRef(false);
  const lastOffset = useRef(0);

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
  const toEnd = useCallback(() => {
    sticks.current = true;
    list.current?.scrollToIndex(count - 1, { align: "end" });
  }, [count]);

  const toRow = useCallback(
    (index: number) => {
      const handle = list.current;
      if (!handle) return;
      if (index < count - 1) sticks.current = false;
      const top = handle.getItemOffset(index) - handle.scrollOffset;
      const isShown = top >= 0 && top + handle.getItemSize(index) <= handle.viewportSize;
      if (!isShown) handle.scrollToIndex(index, { align: "center" });
    },
    [count],
  );

  const newIndex = rows.findIndex((row) => row.kind === "new");
  useLayoutEffect(() => {
    if (!isLoaded || count === 0) return;
    if (!isPlaced.current) {
      isPlaced.current = true;
      if (newIndex > 0) {
        sticks.current = false;
        list.current?.scrollToIndex(newIndex, { align: "start", offset: -72 });
        return;
      }
    }
    if (sticks.current) list.current?.scrollToIndex(count - 1, { align: "end" });
  }, [count, isLoaded, newIndex]);

  const onScroll = useCallback(() => {
    const handle = list.current;
    if (!handle || !isPlaced.current) return;
    const isEnd = handle.scrollOffset + handle.viewportSize >= handle.scrollSize - END_SLACK_PX;
    // Only going up leaves the end. In a busy room the end moves away by itself before the list has followed.
    if (isEnd) sticks.current = true;
    else if (handle.scrollOffset < lastOffset.current) sticks.current = false;
    lastOffset.current = handle.scrollOffset;
    setAtEnd(sticks.current);
    if (handle.scrollOffset < OLDER_AHEAD_PX) loadOlder();
  }, [loadOlder, setAtEnd]);

  // A page shorter than the screen cannot be scrolled, so it has to ask by itself.
  useEffect(() => {
    if (isLoaded && count > 0) onScroll();
  }, [isLoaded, count, onScroll]);

  const onResize = useCallback(() => {
    if (sticks.current) list.current?.scrollToIndex(count - 1, { align: "end" });
    else onScroll();
  }, [count, onScroll]);

  // A scroll event tells only afterwards; by then a message that came meanwhile would have pulled the reader back.
  const onLeave = useCallback(() => {
    sticks.current = false;
  }, []);

  return { list, isPrepend, toEnd, toRow, onScroll, onResize, onLeave };
}
