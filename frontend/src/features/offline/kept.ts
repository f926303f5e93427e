// The newest messages of visited rooms, kept in this browser for a start without a network. Only what guests may read
// is kept: no private messages, and nothing about the reader.

import type { KnownRoom } from "../../api/earlier-release";
import { keepOwn } from "../../realtime/reactions";
import type { TimelineMessage } from "../../realtime/state";
import { forgetOtherReaders, ownCache } from "./readers";

const MOST_MESSAGES = 200;
/** Rooms that were not opened for so long are forgotten. */
const KEPT_MS = 14 * 86_400_000;

export interface KeptRoom {
  room: KnownRoom;
  messages: readonly TimelineMessage[];
  /** When the messages were up to date. */
  readAt: string;
}

const addressOf = (roomId: string) => `/kept/${roomId}`;

export async function keepRoom(
  { membership: _, ...room }: KnownRoom,
  messages: readonly TimelineMessage[],
  now = new Date(),
): Promise<void> {
  const name = ownCache();
  const newest = messages.slice(-MOST_MESSAGES);
  const bare = newest.map((message) => ({ ...message, reactions: keepOwn(message.reactions, []) }));
  const kept: KeptRoom = { room, messages: bare, readAt: now.toISOString() };
  const cache = await caches.open(name);
  await cache.put(addressOf(room.id), Response.json(kept));
  // The reader may have signed out meanwhile.
  if (name !== ownCache()) await forgetOtherReaders();
}

/** Fields of a message that an earlier release may not have kept. */
const USUAL = { reply_to: null, mentions: [], reactions: [] };

export async function keptRooms(now = new Date()): Promise<KeptRoom[]> {
  const cache = await caches.open(ownCache());
  const rooms: KeptRoom[] = [];
  for (const request of await cache.keys()) {
    const kept: KeptRoom | undefined = await (await cache.match(request))?.json();
    if (!kept || now.getTime() - Date.parse(kept.readAt) > KEPT_MS) await cache.delete(request);
    else rooms.push({ ...kept, messages: kept.messages.map((message) => ({ ...USUAL, ...message })) });
  }
  return rooms;
}

export async function forgetRoom(roomId: string): Promise<void> {
  const cache = await caches.open(ownCache());
  await cache.delete(addressOf(roomId));
}
