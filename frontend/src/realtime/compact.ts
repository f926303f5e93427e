// Decodes messages in the short form of the stream (`format=compact`) into the JSON form. The schema `CompactMessage` of the
// API document describes it; `src/event/compact.rs` encodes it.

/** Names of short forms on the stream, and the kinds that they stand for. A frame without a name is a "message". */
export const COMPACT_KINDS = { message: "message.posted", edited: "message.edited" } as const;

/** Rooms of a stream by the end of their id, which is all that a short form has of it. */
export type RoomTags = ReadonlyMap<string, string>;

/** Lengths of an id and of the end of a room's id. */
const ID = 22;
const TAG = 5;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Null if short forms could not name one of these rooms: the stream must be JSON then. */
export function roomTags(rooms: readonly string[]): RoomTags | null {
  if (!rooms.every((room) => UUID.test(room))) return null;
  const tags = new Map(rooms.map((room) => [toShort(room).slice(-TAG), room]));
  return tags.size === new Set(rooms).size ? tags : null;
}

/** Decodes the message of the event at `pos`; null if this release cannot read it. May throw on malformed ids. */
export function fromCompact(form: unknown, pos: number, rooms: RoomTags): unknown {
  if (!Array.isArray(form)) return null;
  const [head, seq, created, body, more = {}] = form as unknown[];
  if (typeof head !== "string" || typeof more !== "object" || more === null) return null;
  const space = head.indexOf(" ");
  const ids = head.slice(0, space);
  const id = ids.slice(0, ID);
  const client = ids.slice(2 * ID + TAG);
  const room_id = rooms.get(ids.slice(2 * ID, 2 * ID + TAG));
  if (room_id === undefined) return null;
  const { author, ...rest } = more as Record<string, unknown>;
  return {
    id: toUuid(id),
    room_id,
    pos,
    seq,
    client_id: toUuid(id.slice(0, ID - client.length) + client),
    author: {
      id: toUuid(ids.slice(ID, 2 * ID)),
      username: head.slice(space + 1),
      ...(author as object | undefined),
    },
    body,
    created_at: typeof created === "number" ? timeAfter(id, created) : created,
    edited_at: null,
    deleted_at: null,
    reactions: [],
    reply_to: null,
    mentions: [],
    ...rest,
  };
}

/** Returns the time that is so many microseconds after that of an id, written as in the JSON form. */
function timeAfter(id: string, micros: number): string {
  const began = Number.parseInt(toUuid(id).replace("-", "").slice(0, 12), 16);
  const time = new Date(began + Math.floor(micros / 1000)).toISOString();
  const rest = ((micros % 1000) + 1000) % 1000;
  return `${`${time.slice(0, -1)}${String(rest).padStart(3, "0")}`.replace(/\.?0+$/, "")}Z`;
}

function toShort(uuid: string): string {
  const bytes = uuid.replaceAll("-", "").match(/../g) ?? [];
  const text = btoa(String.fromCharCode(...bytes.map((byte) => Number.parseInt(byte, 16))));
  return text.replaceAll("+", "-").replaceAll("/", "_").slice(0, ID);
}

function toUuid(short: string): string {
  const bytes = atob(short.replaceAll("-", "+").replaceAll("_", "/"));
  const hex = [...bytes].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
