// What this browser knows. Immutable: `apply` and the snapshots make the next state from the last.

import type { Author, DirectMessage, Message, Room, User } from "../api/gen/types.gen";

/** A message as it is shown. Of a deletion only the fact is kept: the event does not tell its time. */
export type TimelineMessage = Omit<Message, "body" | "deleted_at"> & {
  body: string | null;
  isDeleted: boolean;
};

/** Whoever is signed in, with the mute in force; what is not known yet is absent. */
export type Viewer = User & { muted_until?: string | null; mute_reason?: string | null };

/** What is known of one room's messages. */
export interface RoomLog {
  /** Ascending by `seq`, each `seq` once. May hold strays older than `from`, heard before their page was read. */
  messages: readonly TimelineMessage[];
  /** The `seq` from which `messages` has no gap; null until the first page came. */
  from: number | null;
  /** Deleted before their message was read: a page that was on its way must not bring the body back. */
  tombstones: ReadonlySet<string>;
}

export interface Conversation {
  user: Author;
  /** Ascending by `pos`. */
  messages: readonly DirectMessage[];
  /** Whether a page was read, so that `messages` is more than what came by the stream. */
  isLoaded: boolean;
  /** Whether the first message of all is among `messages`. */
  isComplete: boolean;
}

/**
 * Since when the stream has carried a thing without a gap, as a number that grows with every new beginning;
 * 0 means not at all. A snapshot asked for under one number and the events since make the whole truth;
 * when the number changes, the snapshot has to be read again.
 */
export interface Coverage {
  count: number;
  lobby: number;
  directs: number;
  rooms: Readonly<Record<string, number>>;
}

export interface ChatState {
  viewer: Viewer | null;
  /** Active rooms; null until the first list came. */
  rooms: Readonly<Record<string, Room>> | null;
  /** Grows with every `room.*` event, so that a list read before one is not taken for newer. */
  roomsVersion: number;
  /** Rooms seen being archived while this page was open. */
  archived: Readonly<Record<string, Room>>;
  /** Rooms asked of the stream and refused: unknown, or archived earlier. */
  missing: readonly string[];
  logs: Readonly<Record<string, RoomLog>>;
  conversations: Readonly<Record<string, Conversation>>;
  /** Who was erased while this page was open: a list that was on its way must not bring a conversation back. */
  erased: ReadonlySet<string>;
  areConversationsLoaded: boolean;
  coverage: Coverage;
}

export const EMPTY_STATE: ChatState = {
  viewer: null,
  rooms: null,
  roomsVersion: 0,
  archived: {},
  missing: [],
  logs: {},
  conversations: {},
  erased: new Set(),
  areConversationsLoaded: false,
  coverage: { count: 0, lobby: 0, directs: 0, rooms: {} },
};

export const EMPTY_LOG: RoomLog = { messages: [], from: null, tombstones: new Set() };

export function timelineMessage({ deleted_at, ...message }: Message): TimelineMessage {
  const isDeleted = deleted_at !== null;
  return { ...message, body: isDeleted ? null : (message.body ?? null), isDeleted };
}

/** The gap-free part of a log, which is all that may be shown. */
export function shownMessages(log: RoomLog): readonly TimelineMessage[] {
  const { from } = log;
  if (from === null) return [];
  const first = log.messages.findIndex((message) => message.seq >= from);
  return first <= 0 ? (first === 0 ? log.messages : []) : log.messages.slice(first);
}

/** The other person of a direct message. */
export function peerOf(message: DirectMessage, viewerId: string): Author {
  return message.sender.id === viewerId ? message.recipient : message.sender;
}
