// Drafts, stored with every keystroke: per user and conversation, across reloads, crashes and sign-outs. Each window
// has its own record for a conversation, so that two windows never overwrite each other's text. A window without typed
// text shows the newest draft of the others, and copies it with the first keystroke.

import { useSyncExternalStore } from "react";
import { Listeners } from "../../browser/listeners";
import { browserStorage, readJson } from "../../browser/storage";
import { windowId } from "../../browser/window-id";

/** Destination of a message: a room or one person. */
export type Lane = `room:${string}` | `direct:${string}`;

/** The text being typed: a new message, or the edit of one. */
export type TextPlace = Lane | `edit:${string}`;

/** A text, or what is attached to it. */
export type DraftPlace = TextPlace | `with:${TextPlace}`;

interface Draft {
  text: string;
  /** Time of the last keystroke, in milliseconds since 1970. */
  at: number;
  /** The other window's record that this one was copied from, while both may hold the same text. */
  from?: { key: string; text: string };
}

const listeners = new Listeners();
/** Records written by this window, in their written form. */
const written = new Map<string, Draft>();

/** Releases with one record for all windows stored the plain text under this key. */
const formerKey = (userId: string, place: DraftPlace) => `gapless.draft.${userId}.${place}`;
const keyPrefix = (userId: string, place: DraftPlace) => `${formerKey(userId, place)}#`;

export function readDraft(userId: string, place: DraftPlace): string {
  const own = readRecord(keyPrefix(userId, place) + windowId);
  return own ? own.text : (newestOfOthers(userId, place)?.text ?? "");
}

export function writeDraft(userId: string, place: DraftPlace, text: string): void {
  const key = keyPrefix(userId, place) + windowId;
  const from = readRecord(key)?.from ?? newestOfOthers(userId, place);
  // An empty record means that this window has its own, empty, text. It is removed when the window closes.
  const draft: Draft = { text, at: Date.now(), ...(text !== "" && from ? { from } : {}) };
  if (text === "" && from && readRecord(from.key)?.text === from.text) browserStorage.remove(from.key);
  written.set(key, draft);
  browserStorage.write(key, JSON.stringify(draft));
  listeners.notify();
}

/** Subscribes to the text typed here and, until then, in other windows. */
export function useDraft(userId: string, place: DraftPlace): [string, (text: string) => void] {
  const text = useSyncExternalStore(listeners.subscribe, () => readDraft(userId, place));
  return [text, (next) => writeDraft(userId, place, next)];
}

/** Number of messages and edits that a user has begun in this browser. */
export function countDrafts(userId: string): number {
  const prefix = formerKey(userId, "" as DraftPlace);
  const texts = browserStorage.keys(prefix).filter((key) => !key.startsWith(`${prefix}with:`));
  const begun = texts.filter((key) => readRecord(key)?.text.trim());
  return new Set(begun.map((key) => key.replace(/#.*$/, ""))).size;
}

/** Deletes everything that a user has begun in this browser, in all windows. */
export function forgetDrafts(userId: string): void {
  for (const key of browserStorage.keys(formerKey(userId, "" as DraftPlace))) {
    written.delete(key);
    browserStorage.remove(key);
  }
  listeners.notify();
}

function newestOfOthers(userId: string, place: DraftPlace): { key: string; text: string } | undefined {
  const prefix = keyPrefix(userId, place);
  const others = browserStorage.keys(formerKey(userId, place)).flatMap((key) => {
    if (key !== formerKey(userId, place) && !(key.startsWith(prefix) && !key.endsWith(`#${windowId}`)))
      return [];
    const draft = readRecord(key);
    return draft && draft.text !== "" ? [{ key, ...draft }] : [];
  });
  const newest = others.reduce((a, b) => (b.at > a.at ? b : a), others[0] ?? { key: "", text: "", at: -1 });
  return newest.key === "" ? undefined : { key: newest.key, text: newest.text };
}

function readRecord(key: string): Draft | null {
  const stored = browserStorage.read(key);
  if (stored === null) return null;
  if (!key.includes("#")) return { text: stored, at: 0 };
  const draft = readJson<Partial<Draft>>(stored);
  return typeof draft?.text === "string" ? { ...draft, text: draft.text, at: draft.at ?? 0 } : null;
}

window.addEventListener("storage", ({ key, oldValue, newValue }) => {
  if (key !== null && !key.startsWith("gapless.draft.")) return;
  const mine = key === null ? undefined : written.get(key);
  if (key !== null && mine && newValue === null) {
    // Another window sent the text that both started from. Text typed here since then was not sent.
    const sent = readJson<Draft>(oldValue)?.text;
    if (sent === mine.text) written.delete(key);
    else browserStorage.write(key, JSON.stringify(mine));
  }
  listeners.notify();
});

// Empty records are only needed while the window is open.
window.addEventListener("pagehide", () => {
  for (const [key, { text }] of written) if (text === "") browserStorage.remove(key);
});
window.addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  for (const [key, draft] of written) {
    if (draft.text === "") browserStorage.write(key, JSON.stringify(draft));
  }
});
