// Test data in the format of the server.

import type { Author, DirectMessage, Message, Room } from "../api/gen/types.gen";
import type { EventKind } from "../realtime/events";
import type { EventOf, ServerEvent } from "../realtime/server-event";

export const ALI: Author = { id: "user-ali", username: "ali" };
export const ZOE: Author = { id: "user-zoe", username: "zoe" };

export function aRoom(room: Partial<Room> = {}): Room {
  return {
    id: "room-1",
    name: "General",
    slug: "general",
    topic: "",
    is_archived: false,
    created_at: "2026-11-22T08:00:00Z",
    head_seq: 0,
    retention_days: null,
    landing: false,
    indexable: true,
    online: { users: 0, guests: 0 },
    ...room,
  };
}

export function aMessage(seq: number, message: Partial<Message> = {}): Message {
  return {
    id: `message-${seq}`,
    room_id: "room-1",
    pos: 100 + seq,
    seq,
    client_id: `client-${seq}`,
    author: ALI,
    body: `body ${seq}`,
    created_at: new Date(Date.UTC(2026, 10, 22, 9, 0, seq)).toISOString(),
    edited_at: null,
    deleted_at: null,
    reactions: [],
    reply_to: null,
    mentions: [],
    ...message,
  };
}

export function aDirect(pos: number, message: Partial<DirectMessage> = {}): DirectMessage {
  return {
    id: `direct-${pos}`,
    pos,
    client_id: `direct-client-${pos}`,
    sender: ZOE,
    recipient: ALI,
    body: `private ${pos}`,
    created_at: new Date(Date.UTC(2026, 10, 22, 9, 0, pos)).toISOString(),
    ...message,
  };
}

let positions = 0;

export function anEvent<Kind extends EventKind>(kind: Kind, data: EventOf<Kind>["data"]): ServerEvent {
  positions += 1;
  return { kind, id: `epoch.${positions}`, data } as ServerEvent;
}

export function hello(
  rooms: string[] = ["room-1"],
  more: Partial<EventOf<"hello">["data"]> = {},
): ServerEvent {
  return anEvent("hello", {
    cursor: "epoch.1",
    rooms: rooms.map((id) => ({ id, head_seq: 0 })),
    missing: [],
    user: null,
    heartbeat_secs: 15,
    expires_at: null,
    ...more,
  });
}
