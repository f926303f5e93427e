// Read marks of rooms and conversations in this browser, per user (guests too).

import { useSyncExternalStore } from "react";
import { Listeners } from "../../browser/listeners";
import { browserStorage, readJson } from "../../browser/storage";

/** `room:<id>` to the last read `seq`, `direct:<user id>` to the last read `pos`. */
type Marks = Readonly<Record<string, number>>;

const listeners = new Listeners();
/** Marks read in this window, by key: a window that has not seen them yet may overwrite the stored marks. */
const readHere = new Map<string, Marks>();
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

/** Moves marks forward only. */
export function markRead(userId: string | undefined, read: Marks): void {
  const marks = readMarks(userId);
  const news = Object.entries(read).filter(([place, to]) => to > (marks[place] ?? -1));
  if (news.length === 0) return;
  const key = keyOf(userId);
  readHere.set(key, { ...readHere.get(key), ...Object.fromEntries(news) });
  browserStorage.write(key, JSON.stringify({ ...marks, ...Object.fromEntries(news) }));
  listeners.notify();
}

export function useReadMarks(userId: string | undefined): Marks {
  return useSyncExternalStore(subscribe, () => readMarks(userId));
}

function subscribe(listener: () => void): () => void {
  const unsubscribe = listeners.subscribe(listener);
  window.addEventListener("storage", listener);
  return () => {
    unsubscribe();
    window.removeEventListener("storage", listener);
  };
}

window.addEventListener("storage", ({ key, newValue }) => {
  const here = key === null || newValue === null ? undefined : readHere.get(key);
  if (!here || key === null) return;
  const stored = readJson<Marks>(newValue) ?? {};
  const lost = Object.entries(here).filter(([place, to]) => to > (stored[place] ?? -1));
  if (lost.length === 0) return;
  browserStorage.write(key, JSON.stringify({ ...stored, ...Object.fromEntries(lost) }));
  listeners.notify();
});
