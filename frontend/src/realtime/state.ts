// The chat state of this tab. Immutable: `apply` and the snapshots derive the next state from the last.

import type { AnyMessage, KnownRoom } from "../api/earlier-release";
import type { Author, DirectMessage, Message, Room, User } from "../api/gen/types.gen";
import type { Inbox } from "./inbox";

/** A message as it is shown. Only the fact of a deletion is kept, since the event lacks its time. */
export type TimelineMessage = Omit<Message, "body" | "deleted_at"> & {
  body: string | null;
  isDeleted: boolean;
};

/** The signed-in user with their current mute; fields not loaded yet are absent. */
export type Viewer = User & { muted_until?: string | null; mute_reason?: string | null };

/** The loaded messages of one room. */
export interface RoomLog {
  /** Ascending by `seq`, each `seq` once. May contain messages older than `from`, received before their page. */
  messages: readonly TimelineMessage[];
  /** The `seq` from which `messages` has no gap; null until the first page is loaded. */
  from: number | null;
  /** The `seq` at which the room begins, if messages before it were deleted because of their age. */
  first?: number;
  /** The `seq` up to which `messages` has no gap, if newer ones are not loaded; null if the end of the room is loaded. */
  to: number | null;
  /** Ids deleted before their message was loaded: a page on its way must not bring the body back. */
  tombstones: ReadonlySet<string>;
}

export interface Conversation {
  user: Author;
  /** Ascending by `pos`. */
  messages: readonly DirectMessage[];
  /** True once a page is loaded, so that `messages` is more than what the stream sent. */
  isLoaded: boolean;
  /** True if `messages` contains the first message of the conversation. */
  isComplete: boolean;
}

/**
 * For each topic, identifies the period in which the stream has carried it without a gap: a number that grows with
 * every restart, 0 for not at all. A snapshot requested under one number is complete together with the events since;
 * when the number changes, the snapshot has to be loaded again.
 */
export interface Coverage {
  count: number;
  lobby: number;
  directs: number;
  rooms: Readonly<Record<string, number>>;
}

export interface ChatState {
  viewer: Viewer | null;
  /** Known active rooms: those listed so far, opened or named by the stream; null until the first page is loaded. */
  rooms: Readonly<Record<string, KnownRoom>> | null;
  /** The room to which the address of the chat leads, if the server names one. */
  landing: string | null;
  /** The place where the list of rooms continues; null if all of it is loaded. */
  roomsNext: string | null;
  /** True if the server lists rooms by page, and reports news of the rooms that are followed. */
  areRoomsPaged: boolean;
  /** The coverage of the lobby under which `rooms` was loaded. */
  roomsSince: number;
  /** Grows with every `room.*` event, so that a list requested before one does not overwrite it. */
  roomsVersion: number;
  /** Rooms archived while this page was open. */
  archived: Readonly<Record<string, Room>>;
  /** Rooms requested from the stream but unknown or already archived. */
  missing: readonly string[];
  logs: Readonly<Record<string, RoomLog>>;
  /** The pinned messages of rooms, newest pin first; absent until they are loaded. */
  pins: Readonly<Record<string, readonly TimelineMessage[]>>;
  /** Grows with every change of a pin, so that a list requested before one is requested again. */
  pinsVersion: number;
  conversations: Readonly<Record<string, Conversation>>;
  /** Users erased while this page was open: a list on its way must not bring a conversation back. */
  erased: ReadonlySet<string>;
  /** `pos` from which on the list of conversations is loaded, 0 for all of it; null until it is loaded. */
  conversationsFrom: number | null;
  /** When the rooms that are shown without a network were up to date, by id; null once the server has answered. */
  kept: Readonly<Record<string, string>> | null;
  inbox: Inbox;
  coverage: Coverage;
}

export const EMPTY_STATE: ChatState = {
  viewer: null,
  rooms: null,
  landing: null,
  roomsNext: null,
  areRoomsPaged: false,
  roomsSince: 0,
  roomsVersion: 0,
  archived: {},
  missing: [],
  logs: {},
  pins: {},
  pinsVersion: 0,
  conversations: {},
  erased: new Set(),
  conversationsFrom: null,
  kept: null,
  inbox: { items: [], next: null, isLoaded: false, readTo: 0 },
  coverage: { count: 0, lobby: 0, directs: 0, rooms: {} },
};

export const EMPTY_LOG: RoomLog = { messages: [], from: null, to: null, tombstones: new Set() };

/** Fields that a server of an earlier release leaves out get their usual values. */
export function timelineMessage({ deleted_at, ...message }: AnyMessage): TimelineMessage {
  const { reply_to = null, mentions = [], reactions = [] } = message;
  const isDeleted = deleted_at !== null;
  return {
    ...message,
    body: isDeleted ? null : (message.body ?? null),
    isDeleted,
    reply_to,
    mentions,
    reactions,
  };
}

/** Returns the part of a log without gaps; only that may be shown. */
export function shownMessages({ messages, from, to }: RoomLog): readonly TimelineMessage[] {
  if (from === null) return [];
  const first = messages.findIndex((message) => message.seq >= from);
  if (first < 0) return [];
  const end = to === null ? messages.length : messages.findLastIndex((message) => message.seq <= to) + 1;
  return first === 0 && end === messages.length ? messages : messages.slice(first, end);
}

/** Returns the other person of a direct message. */
export function peerOf(message: DirectMessage, viewerId: string): Author {
  return message.sender.id === viewerId ? message.recipient : message.sender;
}
