// Everything the stream can say, as types. `apply` and `ChatStream` read these; nothing else parses frames.

import type { Author, DirectMessage, Message, Room, User } from "../api/gen/types.gen";
import type { Viewer } from "./state";

export interface Hello {
  cursor: string;
  rooms: { id: string; head_seq: number }[];
  /** Rooms asked for that are unknown or archived. */
  missing: string[];
  user: User | null;
  heartbeat_secs: number;
  expires_at: string | null;
  /**
   * Ours, not the server's: the stream was opened without a cursor, so what happened before it is unknown
   * and every snapshot has to be read again.
   */
  fresh?: boolean;
}

interface EventData {
  hello: Hello;
  "message.posted": Message;
  "message.edited": Message;
  "message.deleted": { id: string; room_id: string; seq: number; pos: number };
  "direct.posted": DirectMessage;
  "room.created": Room;
  "room.renamed": Room;
  "room.archived": Room;
  "room.restored": Room;
  "room.retention_set": Room;
  "user.changed": Viewer;
  /** The name is the one that is left of them. */
  "user.erased": Author;
  presence: { room_id: string; users: number; guests: number };
  lobby: { rooms: { id: string; users: number; guests: number }[] };
  heartbeat: Record<string, never>;
  expiring: { expires_at: string };
  reset: { reason: "epoch" | "replay_limit" | "unknown_cursor" };
  drain: { retry_ms: number };
  bye: { reason: "expired" | "revoked" | "slow" | "shutdown" | "busy" };
}

export type EventKind = keyof EventData;

/** One event. `id` is the stream's position after it, opaque; null for events that carry none. */
export type ServerEvent = {
  [Kind in EventKind]: { kind: Kind; id: string | null; data: EventData[Kind] };
}[EventKind];

export type EventOf<Kind extends EventKind> = Extract<ServerEvent, { kind: Kind }>;

/**
 * Every kind, and whether its frame carries an `id:`. `EventSource` repeats the last id on frames without one,
 * so the browser's `lastEventId` means something only where this table says `true`.
 */
export const EVENT_KINDS: { readonly [Kind in EventKind]: boolean } = {
  hello: true,
  "message.posted": true,
  "message.edited": true,
  "message.deleted": true,
  "direct.posted": true,
  "room.created": true,
  "room.renamed": true,
  "room.archived": true,
  "room.restored": true,
  "room.retention_set": true,
  "user.changed": true,
  "user.erased": true,
  presence: false,
  lobby: false,
  heartbeat: true,
  expiring: false,
  reset: true,
  drain: false,
  bye: false,
};

/** Kinds that speak of the stream itself; their ids repeat, so they never count as already heard. */
export function isAboutStream(kind: EventKind): boolean {
  return kind === "hello" || kind === "heartbeat" || kind === "reset";
}

export function parseEvent(kind: EventKind, frame: MessageEvent<string>): ServerEvent {
  const id = EVENT_KINDS[kind] && frame.lastEventId !== "" ? frame.lastEventId : null;
  return { kind, id, data: JSON.parse(frame.data) } as ServerEvent;
}
