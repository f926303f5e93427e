import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Entry } from "./entry";
import type { Row } from "./rows";

/** Time for which a message that was linked to is highlighted. */
const FLASH_MS = 2_500;

/** A place to scroll to, once it is loaded: a message, the line above new messages, or the very first message. */
export interface Target {
  order: number;
  place: "message" | "line" | "beginning";
}

/** Scrolls to a place once it is loaded, and returns the key of the row to highlight. */
export function useTarget(
  target: Target | null,
  rows: readonly Row<Entry>[],
  toKey: (key: string, place: "line" | "middle") => void,
): string | null {
  const [flashed, setFlashed] = useState<string | null>(null);
  const done = useRef<Target | null>(null);
  const key = target && done.current !== target ? keyOf(target, rows) : null;
  useLayoutEffect(() => {
    if (!target || !key) return;
    done.current = target;
    toKey(key, target.place === "message" ? "middle" : "line");
    if (target.place === "message") setFlashed(key);
  }, [target, key, toKey]);
  useEffect(() => {
    if (flashed === null) return;
    const timer = setTimeout(() => setFlashed(null), FLASH_MS);
    return () => clearTimeout(timer);
  }, [flashed]);
  return flashed;
}

function keyOf({ order, place }: Target, rows: readonly Row<Entry>[]): string | null {
  if (place === "beginning") {
    const isFirst = rows.some((row) => row.kind === "message" && row.message.confirmed?.order === order);
    return (isFirst && rows[0]?.key) || null;
  }
  const isTarget = (row: Row<Entry>) =>
    place === "line" ? row.kind === "new" : row.kind === "message" && row.message.confirmed?.order === order;
  return rows.find(isTarget)?.key ?? null;
}
