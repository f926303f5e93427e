import { useState } from "react";
import type { Entry } from "./entry";

interface NewsOptions {
  entries: readonly Entry[];
  viewerId: string | undefined;
  isLoaded: boolean;
  hasOlder: boolean;
  /** True while the newest message is visible. */
  isFollowing: boolean;
  lastOrder: number;
  /** The read mark when the timeline was opened. */
  readUpTo: number | null;
  /** Set when the reader marks messages as unread (the position of the line), or everything as read (null). */
  moved: { line: number | null } | null;
}

/**
 * Returns which messages count as new, and how many are below the visible part. Messages that arrive while the reader
 * is looking get no line: the line marks the read position at opening, later the position where the reader last left.
 */
export function useNews(options: NewsOptions) {
  const { entries, viewerId, isLoaded, hasOlder, isFollowing, lastOrder, readUpTo, moved } = options;
  const [line, setLine] = useState<number | null>(null);
  const [wasFollowing, setWasFollowing] = useState(isFollowing);
  const [seen, setSeen] = useState(lastOrder);
  const [lastMoved, setLastMoved] = useState(moved);

  if (line === null && isLoaded) {
    setLine(readUpTo !== null && readUpTo < lastOrder ? readUpTo : Number.POSITIVE_INFINITY);
    setSeen(lastOrder);
  }
  if (moved !== lastMoved) {
    setLastMoved(moved);
    setLine(moved?.line ?? Number.POSITIVE_INFINITY);
  }
  if (wasFollowing !== isFollowing) {
    setWasFollowing(isFollowing);
    if (!isFollowing && line === Number.POSITIVE_INFINITY) setLine(lastOrder);
    // The reader returned before anything arrived: no line is needed.
    if (isFollowing && line === lastOrder) setLine(Number.POSITIVE_INFINITY);
  }
  if (isFollowing && seen !== lastOrder) setSeen(lastOrder);

  const isAfter = (border: number, { confirmed, authorId }: Entry) =>
    confirmed !== null && confirmed.order > border && authorId !== viewerId;
  // If the first loaded message is a later one, the line belongs above messages that are not loaded.
  const first = entries[0]?.confirmed?.order ?? 0;
  const isLineLoaded = line !== null && (!hasOlder || first <= line + 1);
  return {
    line: line === Number.POSITIVE_INFINITY ? null : line,
    isNew: (entry: Entry) => line !== null && isLineLoaded && isAfter(line, entry),
    unseen: isFollowing ? 0 : entries.filter((entry) => isAfter(seen, entry)).length,
  };
}
