// What is being typed, kept with every keystroke: per person and per place, over reloads, crashes and sign-outs.

import { useSyncExternalStore } from "react";

/** Where a message goes: a room, or one person. */
export type Lane = `room:${string}` | `direct:${string}`;

/** Where something is typed: a new message, or the edit of one. */
export type DraftPlace = Lane | `edit:${string}`;

const listeners = new Set<() => void>();

const draftKey = (userId: string, place: DraftPlace) => `gapless.draft.${userId}.${place}`;

export function readDraft(userId: string, place: DraftPlace): string {
  return localStorage.getItem(draftKey(userId, place)) ?? "";
}

export function writeDraft(userId: string, place: DraftPlace, text: string): void {
  const key = draftKey(userId, place);
  if (text === "") localStorage.removeItem(key);
  else localStorage.setItem(key, text);
  for (const listener of [...listeners]) listener();
}

/** Two tabs may type in one place; each keeps its own text on the screen, so other tabs are not listened to. */
export function useDraft(userId: string, place: DraftPlace): [string, (text: string) => void] {
  const text = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => readDraft(userId, place),
  );
  return [text, (next) => writeDraft(userId, place, next)];
}
