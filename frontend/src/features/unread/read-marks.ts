// How far each room and conversation was read here, per person (guests too), in this browser.

import { useSyncExternalStore } from "react";
import { browserStorage, readJson } from "../../browser/storage";

/** `room:<id>` to the last read `seq`, `direct:<user id>` to the last read `pos`. */
type Marks = Readonly<Record<string, number>>;

const listeners = new Set<() => void>();
const cache = new Map<string, { text: string | null; marks: Marks }>();

const keyOf = (userId: string | undefined) => `gapless.read.${userId ?? "guest"}`;

export function readMarks(userId: string | undefined): Marks {
  const key = keyOf(userId);
  const text = browserStorage.read(key);
  const known = cache.get(key);
  if (known && known.text === text) return known.marks;
  // Damaged marks only make rooms look unread.
  const marks = readJson<Marks>(text) ?? {};
  cache.set(key, { text, marks });
  return marks;
}

/** Moves marks forward, never back. */
export function markRead(userId: string | undefined, read: Marks): void {
  const marks = readMarks(userId);
  const news = Object.entries(read).filter(([place, to]) => to > (marks[place] ?? -1));
  if (news.length === 0) return;
  browserStorage.write(keyOf(userId), JSON.stringify({ ...marks, ...Object.fromEntries(news) }));
  for (const listener of [...listeners]) listener();
}

export function useReadMarks(userId: string | undefined): Marks {
  return useSyncExternalStore(subscribe, () => readMarks(userId));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", listener);
  };
}
