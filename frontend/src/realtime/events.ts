// Generated from `openapi.json` by `npm run api`; do not edit.

import type {
  Author,
  ByeData,
  DirectMessage,
  DrainData,
  ExpiringData,
  HeartbeatData,
  HelloData,
  InboxItem,
  LobbyData,
  Message,
  MessageDeletedData,
  MessageReactionsData,
  PresenceData,
  ResetData,
  Room,
  RoomReadData,
  RoomTrimmedData,
  Standing,
  TypingData,
  StreamEvent,
} from "../api/gen/types.gen";

export type EventKind = StreamEvent["kind"];

/** The types of `data`, by name. */
export interface DataTypes {
  Author: Author;
  ByeData: ByeData;
  DirectMessage: DirectMessage;
  DrainData: DrainData;
  ExpiringData: ExpiringData;
  HeartbeatData: HeartbeatData;
  HelloData: HelloData;
  InboxItem: InboxItem;
  LobbyData: LobbyData;
  Message: Message;
  MessageDeletedData: MessageDeletedData;
  MessageReactionsData: MessageReactionsData;
  PresenceData: PresenceData;
  ResetData: ResetData;
  Room: Room;
  RoomReadData: RoomReadData;
  RoomTrimmedData: RoomTrimmedData;
  Standing: Standing;
  TypingData: TypingData;
}

/** Every kind: the type of its `data`, and whether its frame carries an `id:`. */
export const EVENT_KINDS = {
  hello: { data: "HelloData", hasId: true },
  presence: { data: "PresenceData", hasId: false },
  typing: { data: "TypingData", hasId: false },
  lobby: { data: "LobbyData", hasId: false },
  heartbeat: { data: "HeartbeatData", hasId: true },
  expiring: { data: "ExpiringData", hasId: false },
  reset: { data: "ResetData", hasId: true },
  drain: { data: "DrainData", hasId: false },
  bye: { data: "ByeData", hasId: false },
  "inbox.added": { data: "InboxItem", hasId: true },
  "message.posted": { data: "Message", hasId: true },
  "message.edited": { data: "Message", hasId: true },
  "message.deleted": { data: "MessageDeletedData", hasId: true },
  "message.pinned": { data: "Message", hasId: true },
  "message.unpinned": { data: "Message", hasId: true },
  "message.reactions": { data: "MessageReactionsData", hasId: true },
  "direct.posted": { data: "DirectMessage", hasId: true },
  "room.created": { data: "Room", hasId: true },
  "room.renamed": { data: "Room", hasId: true },
  "room.archived": { data: "Room", hasId: true },
  "room.restored": { data: "Room", hasId: true },
  "room.retention_set": { data: "Room", hasId: true },
  "room.topic_set": { data: "Room", hasId: true },
  "room.landing_set": { data: "Room", hasId: true },
  "room.indexable_set": { data: "Room", hasId: true },
  "room.trimmed": { data: "RoomTrimmedData", hasId: true },
  "user.changed": { data: "Standing", hasId: true },
  "user.erased": { data: "Author", hasId: true },
  "room.read": { data: "RoomReadData", hasId: true },
} as const satisfies {
  [Kind in EventKind]: { data: keyof DataTypes; hasId: boolean };
};
