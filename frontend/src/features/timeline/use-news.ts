import { useState } from "react";
import type { Entry } from "./entry";

interface NewsOptions {
  entries: readonly Entry[];
  viewerId: string | undefined;
  isLoaded: boolean;
  /** The reader is looking at the newest message. */
  isFollowing: boolean;
  lastOrder: number;
  /** How far the reader had got on the way in. */
  readUpTo: number | null;
}

/**
 * Which messages count as new, and how many wait below. Whoever watches a message come needs no line above it: the
 * line marks where the reader had got to on the way in, and later the place where they last looked away.
 */
export function useNews({ entries, viewerId, isLoaded, isFollowing, lastOrder, readUpTo }: NewsOptions) {
  const [line, setLine] = useState<number | null>(null);
  const [wasFollowing, setWasFollowing] = useState(isFollowing);
  const [seen, setSeen] = useState(lastOrder);

  if (line === null && isLoaded) {
    setLine(readUpTo !== null && readUpTo < lastOrder ? readUpTo : Number.POSITIVE_INFINITY);
    setSeen(lastOrder);
  }
  if (wasFollowing !== isFollowing) {
    setWasFollowing(isFollowing);
    if (!isFollowing && line === Number.POSITIVE_INFINITY) setLine(lastOrder);
    // Back before anything came: the place is no border of anything.
    if (isFollowing && line === lastOrder) setLine(Number.POSITIVE_INFINITY);
  }
  if (isFollowing && seen !== lastOrder) setSeen(lastOrder);

  const isAfter = (border: number, { confirmed, authorId }: Entry) =>
    confirmed !== null && confirmed.order > border && authorId !== viewerId;
  return {
    isNew: (entry: Entry) => line !== null && isAfter(line, entry),
    unseen: isFollowing ? 0 : entries.filter((entry) => isAfter(seen, entry)).length,
  };
}
