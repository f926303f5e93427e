// The events of the stream as the app handles them, and the check that a frame or another tab sent one of them.

import type { HelloData } from "../api/gen/types.gen";
import { fromCompact, type RoomTags } from "./compact";
import { type DataTypes, EVENT_KINDS, type EventKind } from "./events";

export interface Hello extends HelloData {
  /**
   * Added by the app: the stream was opened without a cursor, so what happened before it is unknown and every
   * snapshot has to be read again.
   */
  fresh?: boolean;
}

type DataOf<Kind extends EventKind> = Kind extends "hello"
  ? Hello
  : DataTypes[(typeof EVENT_KINDS)[Kind]["data"]];

/** One event. `id` is the position of the stream after it, opaque; null for events without one. */
export type ServerEvent = {
  [Kind in EventKind]: { kind: Kind; id: string | null; data: DataOf<Kind> };
}[EventKind];

export type EventOf<Kind extends EventKind> = Extract<ServerEvent, { kind: Kind }>;

/** Kinds about the stream itself; their ids repeat, so they never count as already heard. */
export function isAboutStream(kind: EventKind): boolean {
  return kind === "hello" || kind === "heartbeat" || kind === "reset";
}

/** Fields that this release reads without checking; the others may be missing or new. */
const FIELDS: {
  readonly [Type in keyof DataTypes]: {
    readonly [Field in keyof DataTypes[Type]]?: "string" | "number" | "object";
  };
} = {
  Author: { id: "string", username: "string" },
  ByeData: {},
  DirectMessage: { id: "string", pos: "number", sender: "object", recipient: "object" },
  DrainData: { retry_ms: "number" },
  ExpiringData: {},
  HeartbeatData: {},
  HelloData: { rooms: "object", missing: "object", heartbeat_secs: "number" },
  InboxItem: { kind: "string", message: "object" },
  LobbyData: { rooms: "object" },
  Message: { id: "string", room_id: "string", seq: "number", author: "object", created_at: "string" },
  MessageDeletedData: { id: "string", room_id: "string" },
  MessageReactionsData: { id: "string", room_id: "string", reactions: "object", changes: "object" },
  PresenceData: { room_id: "string", users: "number", guests: "number" },
  ResetData: {},
  RoomReadData: { room_id: "string", read_seq: "number", unread: "number", mentions: "number" },
  Room: { id: "string", name: "string", head_seq: "number" },
  RoomTrimmedData: { room_id: "string", first_seq: "number" },
  Standing: { id: "string" },
  TypingData: { room_id: "string", user: "object" },
};

/** Returns whether this release knows the kind. `EventSource` and other tabs may name any. */
export function isKnownKind(kind: unknown): kind is EventKind {
  return typeof kind === "string" && Object.hasOwn(EVENT_KINDS, kind);
}

/** Returns whether `value` is an event of this release: a tab or a server of another release may send anything. */
export function isEvent(value: unknown): value is ServerEvent {
  if (typeof value !== "object" || value === null) return false;
  const { kind, id, data } = value as Record<string, unknown>;
  if (!isKnownKind(kind)) return false;
  if (typeof data !== "object" || data === null || (id !== null && typeof id !== "string")) return false;
  const fields = data as Record<string, unknown>;
  return Object.entries(FIELDS[EVENT_KINDS[kind].data]).every(
    ([name, type]) => typeof fields[name] === type && fields[name] !== null,
  );
}

/**
 * Parses the event of a frame; null if this release cannot read it. `EventSource` repeats the last id on frames without
 * one, so `lastEventId` counts only for kinds that carry an id. `rooms`: given if the frame is a short form.
 */
export function parseEvent(
  kind: EventKind,
  frame: MessageEvent<string>,
  rooms?: RoomTags,
): ServerEvent | null {
  const id = EVENT_KINDS[kind].hasId && frame.lastEventId !== "" ? frame.lastEventId : null;
  try {
    const json: unknown = JSON.parse(frame.data);
    const data = rooms ? fromCompact(json, Number(id?.slice(id.lastIndexOf(".") + 1)), rooms) : json;
    const event: unknown = { kind, id, data };
    return isEvent(event) ? event : null;
  } catch {
    return null;
  }
}
