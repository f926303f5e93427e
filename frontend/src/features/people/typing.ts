// The people typing in the open rooms, as far as the stream told within the last seconds.

import type { Author } from "../../api/gen/types.gen";
import { Listeners } from "../../browser/listeners";
import type { ServerEvent } from "../../realtime/server-event";

/** Time after which somebody who was not announced again has stopped. */
export const LAPSE_MS = 5_000;
/** An announcement that arrives just after the message was sent before it. */
const LATE_MS = 1_000;

interface Typist {
  user: Author;
  until: number;
}

export class Typing {
  /** By room and user. */
  #rooms = new Map<string, Map<string, Typist>>();
  /** When a message of a user arrived. */
  #wrote = new Map<string, number>();
  /** The names that components hold, replaced by every change. */
  #names = new Map<string, readonly Author[]>();
  #listeners = new Listeners();
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly subscribe = this.#listeners.subscribe;

  /** Takes note of what an event says about typing. */
  hear(event: ServerEvent): void {
    if (event.kind === "typing") this.#began(event.data.room_id, event.data.user);
    else if (event.kind === "message.posted") {
      const { room_id, author } = event.data;
      this.#wrote.set(author.id, Date.now());
      if (this.#rooms.get(room_id)?.delete(author.id)) this.#changed(room_id);
    } else if (event.kind === "user.erased") {
      for (const [room, typists] of this.#rooms) if (typists.delete(event.data.id)) this.#changed(room);
    }
  }

  /** Returns those who type in a room, those first who began first. */
  in(roomId: string): readonly Author[] {
    return this.#names.get(roomId) ?? NOBODY;
  }

  #began(roomId: string, user: Author): void {
    const now = Date.now();
    for (const [id, at] of this.#wrote) if (at + LATE_MS <= now) this.#wrote.delete(id);
    if (this.#wrote.has(user.id)) return;
    const typists = this.#rooms.get(roomId) ?? new Map<string, Typist>();
    this.#rooms.set(roomId, typists);
    const isNew = !typists.has(user.id);
    typists.set(user.id, { user, until: now + LAPSE_MS });
    if (isNew) this.#changed(roomId);
    else this.#watch();
  }

  #changed(roomId: string): void {
    const typists = [...(this.#rooms.get(roomId)?.values() ?? [])];
    if (typists.length === 0) this.#rooms.delete(roomId);
    this.#names.set(
      roomId,
      typists.map(({ user }) => user),
    );
    if (typists.length === 0) this.#names.delete(roomId);
    this.#watch();
    this.#listeners.notify();
  }

  #watch(): void {
    clearTimeout(this.#timer);
    const ends = [...this.#rooms.values()].flatMap((typists) =>
      [...typists.values()].map(({ until }) => until),
    );
    if (ends.length > 0) this.#timer = setTimeout(() => this.#lapse(), Math.min(...ends) - Date.now());
  }

  #lapse(): void {
    const now = Date.now();
    for (const [room, typists] of this.#rooms) {
      const over = [...typists].filter(([, { until }]) => until <= now);
      for (const [id] of over) typists.delete(id);
      if (over.length > 0) this.#changed(room);
    }
    this.#watch();
  }
}

const NOBODY: readonly Author[] = [];

export const typing = new Typing();

/** "ali is typing…"; null if nobody is. */
export function typingSentence(typists: readonly Author[]): string | null {
  const [one, other] = typists;
  if (!one) return null;
  if (typists.length > 2) return "Several people are typing…";
  return other ? `${one.username} and ${other.username} are typing…` : `${one.username} is typing…`;
}
