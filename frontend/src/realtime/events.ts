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

/** Fields that this release reads without checking; the others may be missing or new. */
const MESSAGE = { id: "string", room_id: "string", seq: "number", author: "object", created_at: "string" };
const ROOM = { id: "string", name: "string", head_seq: "number" };
const SHAPES: { readonly [Kind in EventKind]: Readonly<Record<string, string>> } = {
  hello: { rooms: "object", missing: "object", heartbeat_secs: "number" },
  "message.posted": MESSAGE,
  "message.edited": MESSAGE,
  "message.deleted": { id: "string", room_id: "string" },
  "direct.posted": { id: "string", pos: "number", sender: "object", recipient: "object" },
  "room.created": ROOM,
  "room.renamed": ROOM,
  "room.archived": ROOM,
  "room.restored": ROOM,
  "room.retention_set": ROOM,
  "user.changed": { id: "string" },
  "user.erased": { id: "string", username: "string" },
  presence: { room_id: "string", users: "number", guests: "number" },
  lobby: { rooms: "object" },
  heartbeat: {},
  expiring: {},
  reset: {},
  drain: { retry_ms: "number" },
  bye: {},
};

/** Returns whether `value` is an event of this release: a tab or a server of another release may send anything. */
export function isEvent(value: unknown): value is ServerEvent {
  if (typeof value !== "object" || value === null) return false;
  const { kind, id, data } = value as Record<string, unknown>;
  if (typeof kind !== "string" || !Object.hasOwn(SHAPES, kind)) return false;
  if (typeof data !== "object" || data === null || (id !== null && typeof id !== "string")) return false;
  const fields = data as Record<string, unknown>;
  return Object.entries(SHAPES[kind as EventKind]).every(
    ([name, type]) => typeof fields[name] === type && fields[name] !== null,
  );
}

/** Parses the event of a frame; null if this release cannot read it. */
export function parseEvent(kind: EventKind, frame: MessageEvent<string>): ServerEvent | null {
  const id = EVENT_KINDS[kind] && frame.lastEventId !== "" ? frame.lastEventId : null;
  try {
    const event: unknown = { kind, id, data: JSON.parse(frame.data) };
    return isEvent(event) ? event : null;
  } catch {
    return null;
  }
}
