// Holds the `ChatState` of this tab and notifies React of changes.

import { useSyncExternalStore } from "react";
import type { DirectMessage, Message } from "../api/gen/types.gen";
import { Listeners } from "../browser/listeners";
import { apply, withDirect, withPosted } from "./apply";
import type { ServerEvent } from "./server-event";
import { withoutHole } from "./snapshots";
import { type ChatState, EMPTY_STATE, timelineMessage } from "./state";

/** Hears an event after it was applied, with the state before it. */
export type Hearer = (event: ServerEvent, before: ChatState) => void;

/** Minimum interval between notifications: a replay may bring hundreds of events at once. */
const FRAME_MS = 16;

export class ChatStore {
  #state = EMPTY_STATE;
  #listeners = new Listeners();
  #hearers = new Set<Hearer>();
  #notifiedAt = 0;
  #pending: ReturnType<typeof setTimeout> | undefined;

  get state(): ChatState {
    return this.#state;
  }

  readonly subscribe = this.#listeners.subscribe;

  readonly update = (change: (state: ChatState) => ChatState): void => {
    const next = change(this.#state);
    if (next === this.#state) return;
    this.#state = next;
    this.#notify();
  };

  readonly onEvent = (hearer: Hearer): (() => void) => {
    this.#hearers.add(hearer);
    return () => this.#hearers.delete(hearer);
  };

  /** Applies an event of the stream. */
  readonly hear = (event: ServerEvent): void => {
    const before = this.#state;
    this.update((state) => {
      const next = apply(state, event);
      return event.kind === "message.posted" ? withoutHole(next, event.data) : next;
    });
    for (const hear of this.#hearers) hear(event, before);
  };

  /** Applies the response to our own post, which may arrive before or after its event. */
  readonly acknowledge = (message: Message | DirectMessage): void => {
    this.update((state) =>
      "room_id" in message ? withPosted(state, timelineMessage(message)) : withDirect(state, message),
    );
  };

  #notify(): void {
    if (this.#pending !== undefined) return;
    const wait = this.#notifiedAt + FRAME_MS - Date.now();
    if (wait <= 0) this.#tell();
    else this.#pending = setTimeout(() => this.#tell(), wait);
  }

  #tell(): void {
    this.#pending = undefined;
    this.#notifiedAt = Date.now();
    this.#listeners.notify();
  }
}

export const chat = new ChatStore();

/** Selects a part of the state. `select` must return the same object while its inputs are unchanged. */
export function useChat<T>(select: (state: ChatState) => T): T {
  return useSyncExternalStore(chat.subscribe, () => select(chat.state));
}
