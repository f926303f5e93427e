// Read marks of rooms and conversations in this browser, per user (guests too).

import { useSyncExternalStore } from "react";
import { Listeners } from "../../browser/listeners";
import { browserStorage, readJson } from "../../browser/storage";
import { isNewcomer } from "../session/session";

/**
 * `room:<id>` to the last read `seq`, `direct:<user id>` to the last read `pos`, and `back:` with such a place to how
 * often its mark was moved back.
 */
export type Marks = Readonly<Record<string, number>>;

const listeners = new Listeners();
/** Marks read in this window, by key: a window that has not seen them yet may overwrite the stored marks. */
const readHere = new Map<string, Marks>();
const cache = new Map<string, { text: string | null; marks: Marks }>();

const keyOf = (userId: string | undefined) => `gapless.read.${userId ?? "guest"}`;

/** Somebody who has just signed up begins with the marks of the guest they were. */
export function readMarks(userId: string | undefined): Marks {
  const key = keyOf(userId);
  const text =
    browserStorage.read(key) ?? (isNewcomer(userId) ? browserStorage.read(keyOf(undefined)) : null);
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
  setMarks(
    userId,
    Object.fromEntries(Object.entries(read).filter(([place, to]) => to > (marks[place] ?? -1))),
  );
}

/** Sets marks, backwards as well: a message was marked as unread, or the room was restored from a backup. */
export function setMarks(userId: string | undefined, to: Marks): void {
  const marks = readMarks(userId);
  if (Object.entries(to).every(([place, mark]) => marks[place] === mark)) return;
  const back = Object.entries(to).filter(([place, mark]) => mark < (marks[place] ?? 0));
  const news = {
    ...to,
    ...Object.fromEntries(back.map(([place]) => [`back:${place}`, (marks[`back:${place}`] ?? 0) + 1])),
  };
  const key = keyOf(userId);
  readHere.set(key, { ...readHere.get(key), ...news });
  browserStorage.write(key, JSON.stringify({ ...marks, ...news }));
  listeners.notify();
}

export function useReadMarks(userId: string | undefined): Marks {
  return useSyncExternalStore(subscribeToMarks, () => readMarks(userId));
}

export function subscribeToMarks(listener: () => void): () => void {
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
  const isMovedBack = (place: string) => (stored[`back:${place}`] ?? 0) > (here[`back:${place}`] ?? 0);
  const standing = Object.entries(here).filter(([place]) => !isMovedBack(place));
  readHere.set(key, Object.fromEntries(standing));
  const lost = standing.filter(([place, to]) => to > (stored[place] ?? -1));
  if (lost.length === 0) return;
  browserStorage.write(key, JSON.stringify({ ...stored, ...Object.fromEntries(lost) }));
  listeners.notify();
});
