// Attachments of a text that is being typed: the message that it answers, and the people whom it may mention. Stored as a draft of its own, so that it survives what a draft survives.

import { useMemo } from "react";
import type { Author, Quote } from "../../api/gen/types.gen";
import { readJson } from "../../browser/storage";
import { type DraftPlace, readDraft, type TextPlace, useDraft, writeDraft } from "./drafts";

export interface Attached {
  replyTo?: Quote;
  /** The people whose names in the text are mentions. */
  people?: readonly Author[];
}

const placeOf = (place: TextPlace): DraftPlace => `with:${place}`;

const parsed = (text: string): Attached => readJson<Attached>(text === "" ? null : text) ?? {};

export const readAttached = (userId: string, place: TextPlace): Attached =>
  parsed(readDraft(userId, placeOf(place)));

/** Changes a part of what is attached; `undefined` removes it. */
export function attach(
  userId: string,
  place: TextPlace,
  change: { [Part in keyof Attached]?: Attached[Part] | undefined },
): void {
  const next = JSON.stringify({ ...readAttached(userId, place), ...change });
  writeDraft(userId, placeOf(place), next === "{}" ? "" : next);
}

export function detachAll(userId: string, place: TextPlace): void {
  if (readDraft(userId, placeOf(place)) !== "") writeDraft(userId, placeOf(place), "");
}

export function useAttached(userId: string, place: TextPlace): Attached {
  const [text] = useDraft(userId, placeOf(place));
  return useMemo(() => parsed(text), [text]);
}
