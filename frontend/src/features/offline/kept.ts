// The newest messages of visited rooms, kept in this browser for a start without a network. Only what guests may read
// is kept: no private messages, and nothing about the reader.

import type { KnownRoom } from "../../api/earlier-release";
import type { TimelineMessage } from "../../realtime/state";

const CACHE = "gapless.rooms";
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
  const kept: KeptRoom = { room, messages: messages.slice(-MOST_MESSAGES), readAt: now.toISOString() };
  const cache = await caches.open(CACHE);
  await cache.put(addressOf(room.id), Response.json(kept));
}

/** Fields of a message that an earlier release may not have kept. */
const USUAL = { reply_to: null, mentions: [], reactions: [] };

export async function keptRooms(now = new Date()): Promise<KeptRoom[]> {
  const cache = await caches.open(CACHE);
  const rooms: KeptRoom[] = [];
  for (const request of await cache.keys()) {
    const kept: KeptRoom | undefined = await (await cache.match(request))?.json();
    if (!kept || now.getTime() - Date.parse(kept.readAt) > KEPT_MS) await cache.delete(request);
    else rooms.push({ ...kept, messages: kept.messages.map((message) => ({ ...USUAL, ...message })) });
  }
  return rooms;
}

export async function forgetRoom(roomId: string): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.delete(addressOf(roomId));
}

export async function forgetRooms(): Promise<void> {
  await caches.delete(CACHE);
}
