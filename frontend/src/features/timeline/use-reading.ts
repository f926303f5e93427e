import { type RefObject, useEffect, useRef, useState } from "react";
import type { VirtualizerHandle } from "virtua";
import type { Entry } from "./entry";
import { readTo, type View } from "./reading";
import type { Row } from "./rows";

/** Interval at which the visible part is looked at. */
const LOOK_EVERY_MS = 250;
/** A message counts as read if it was visible in this many looks: half a second. */
const LOOKS = 3;
/** A row counts as visible if no more than this is cut off. */
const CUT_OFF_PX = 8;

interface ReadingOptions {
  list: RefObject<VirtualizerHandle | null>;
  rows: readonly Row<Entry>[];
  isLoaded: boolean;
  hasOlder: boolean;
  mark: number | null;
  /** The position of the line above new messages; null if there is none. */
  line: number | null;
  onRead(order: number): void;
  onView(view: View): void;
}

/** Reports what has been read, and returns whether the line above new messages is above the visible part. */
export function useReading(options: ReadingOptions): boolean {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const [isLineAbove, setLineAbove] = useState(false);
  const { isLoaded } = options;

  useEffect(() => {
    if (!isLoaded) return;
    let views: View[] = [];
    const look = () => {
      const { list, rows, mark, line, hasOlder, onRead, onView } = latest.current;
      const view = list.current && viewOf(list.current, rows);
      if (!view || document.visibilityState !== "visible" || isCovered()) {
        views = [];
        return;
      }
      setLineAbove(line !== null && view.top > line + 1 && !isInView(list.current, rows));
      onView(view);
      // Behind another window, nobody reads.
      views = document.hasFocus() ? [...views, view].slice(-LOOKS) : [];
      if (views.length < LOOKS) return;
      const orders = rows.flatMap((row) => orderOf(row) ?? []);
      const to = readTo({ views, orders, mark, hasOlder });
      if (to !== null) onRead(to);
    };
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [isLoaded]);

  return isLineAbove;
}

/** True while another panel lies over the page. */
const isCovered = () => document.querySelector("main")?.inert === true;

const orderOf = (row: Row<Entry> | undefined) =>
  row?.kind === "message" ? row.message.confirmed?.order : undefined;

function isInView(list: VirtualizerHandle | null, rows: readonly Row<Entry>[]): boolean {
  const at = rows.findIndex(({ kind }) => kind === "new");
  return list !== null && at >= 0 && list.getItemOffset(at) + list.getItemSize(at) > list.scrollOffset;
}

/** The first and last message of which at least the end is visible; null if there is none. */
function viewOf(list: VirtualizerHandle, rows: readonly Row<Entry>[]): View | null {
  const end = list.scrollOffset + list.viewportSize;
  const isRead = (at: number) => {
    const bottom = list.getItemOffset(at) + list.getItemSize(at);
    return bottom > list.scrollOffset && bottom <= end + CUT_OFF_PX;
  };
  let top: number | null = null;
  let bottom: number | null = null;
  const last = Math.min(rows.length - 1, list.findItemIndex(end));
  for (let at = list.findItemIndex(list.scrollOffset); at <= last; at++) {
    const order = orderOf(rows[at]);
    if (order === undefined || !isRead(at)) continue;
    top ??= order;
    bottom = order;
  }
  return top === null || bottom === null ? null : { top, bottom };
}
