// The only place where stream events change the cached data: pure, and exhaustive over every kind of event that this
// release knows.

import type { Author, DirectMessage, Room } from "../api/gen/types.gen";
import { buryMessage, mergeDirects, mergeMessages } from "./merge";
import type { Hello, ServerEvent } from "./server-event";
import {
  type ChatState,
  type Coverage,
  peerOf,
  type RoomLog,
  type TimelineMessage,
  timelineMessage,
  type Viewer,
} from "./state";

export function apply(state: ChatState, event: ServerEvent): ChatState {
  switch (event.kind) {
    case "hello":
      return withHello(state, event.data);
    case "message.posted":
      return withPosted(state, timelineMessage(event.data));
    case "message.edited":
      return withEdited(state, timelineMessage(event.data));
    case "message.deleted":
      return withDeleted(state, event.data);
    case "direct.posted":
      return withDirect(state, event.data);
    case "room.created":
    case "room.renamed":
    case "room.restored":
      return withActiveRoom(state, event.data);
    case "room.archived":
      return withArchivedRoom(state, event.data);
    case "room.retention_set":
      return withRetention(state, event.data);
    case "user.changed":
      return withViewerChange(state, event.data);
    case "user.erased":
      return withErased(state, event.data);
    case "presence":
      return withOnline(state, [{ ...event.data, id: event.data.room_id }]);
    case "lobby":
      return withOnline(state, event.data.rooms);
    case "reset":
      return { ...state, coverage: renewedCoverage(state.coverage) };
    case "heartbeat":
    case "expiring":
    case "drain":
    case "bye":
      return state; // They speak to the connection, not about the chat.
    default:
      event satisfies never;
      return state; // Of a newer release, by way of another tab: it changes nothing that this one knows.
  }
}

/** Begins coverage for every room that the stream has newly taken up, and ends it for those it let go. */
function withHello(state: ChatState, hello: Hello): ChatState {
  const before = hello.fresh ? { ...state.coverage, lobby: 0, directs: 0, rooms: {} } : state.coverage;
  let { count } = before;
  const begin = (since: number | undefined) => since || ++count;

  const isViewer = hello.user !== null && hello.user.id === state.viewer?.id;
  const begun = {
    lobby: begin(before.lobby),
    directs: isViewer ? begin(before.directs) : 0,
    rooms: Object.fromEntries(hello.rooms.map(({ id }) => [id, begin(before.rooms[id])])),
  };
  const coverage: Coverage = { ...begun, count };

  const rooms = state.rooms && { ...state.rooms };
  for (const { id, head_seq } of hello.rooms) {
    const room = rooms?.[id];
    if (rooms && room) rooms[id] = { ...room, head_seq: Math.max(room.head_seq, head_seq) };
  }
  const viewer = isViewer && state.viewer ? { ...state.viewer, ...hello.user } : state.viewer;
  return { ...state, viewer, rooms, missing: hello.missing, coverage };
}

/** Starts every coverage anew: something was skipped, and only fresh snapshots can tell what. */
function renewedCoverage(coverage: Coverage): Coverage {
  let { count } = coverage;
  const renew = (since: number) => (since === 0 ? 0 : ++count);
  const renewed = {
    lobby: renew(coverage.lobby),
    directs: renew(coverage.directs),
    rooms: Object.fromEntries(Object.entries(coverage.rooms).map(([id, since]) => [id, renew(since)])),
  };
  return { ...renewed, count };
}

/** A message newly posted, from the stream or as the answer to a post; whichever comes first. */
export function withPosted(state: ChatState, message: TimelineMessage): ChatState {
  const room = state.rooms?.[message.room_id];
  const known =
    room && message.seq > room.head_seq
      ? { ...state, rooms: { ...state.rooms, [room.id]: { ...room, head_seq: message.seq } } }
      : state;
  return withLog(known, message.room_id, (log) => mergeMessages(log, [message]));
}

/** A message with a newer body, from the stream or as the answer to an edit. */
export function withEdited(state: ChatState, message: TimelineMessage): ChatState {
  return withLog(state, message.room_id, (log) => mergeMessages(log, [message]));
}

export function withDeleted(state: ChatState, { id, room_id }: { id: string; room_id: string }): ChatState {
  return withLog(state, room_id, (log) => buryMessage(log, id));
}

/** Rooms that were never opened here have no log, and need none. */
function withLog(state: ChatState, roomId: string, change: (log: RoomLog) => RoomLog): ChatState {
  const log = state.logs[roomId];
  return log ? { ...state, logs: { ...state.logs, [roomId]: change(log) } } : state;
}

export function withDirect(state: ChatState, message: DirectMessage): ChatState {
  const viewerId = state.viewer?.id;
  // Another tab's stream may still speak for whoever was signed in before.
  if (!viewerId || (message.sender.id !== viewerId && message.recipient.id !== viewerId)) return state;
  const user = peerOf(message, viewerId);
  if (state.erased.has(user.id)) return state;
  const known = state.conversations[user.id] ?? { user, messages: [], isLoaded: false, isComplete: false };
  const conversation = { ...known, messages: mergeDirects(known.messages, [message]) };
  return { ...state, conversations: { ...state.conversations, [user.id]: conversation } };
}

function withActiveRoom(state: ChatState, room: Room): ChatState {
  const known = state.rooms?.[room.id];
  const { [room.id]: _, ...archived } = state.archived;
  // A frame is the same for every reader, so its counts are from when it was made; presence knows better.
  const merged = known
    ? { ...room, online: known.online, head_seq: Math.max(known.head_seq, room.head_seq) }
    : room;
  return {
    ...state,
    rooms: state.rooms && { ...state.rooms, [room.id]: merged },
    roomsVersion: state.roomsVersion + 1,
    archived,
    missing: state.missing.filter((id) => id !== room.id),
  };
}

function withArchivedRoom(state: ChatState, room: Room): ChatState {
  const { [room.id]: _, ...rooms } = state.rooms ?? {};
  return {
    ...state,
    rooms: state.rooms && rooms,
    roomsVersion: state.roomsVersion + 1,
    archived: { ...state.archived, [room.id]: room },
  };
}

/** A room may be archived when this is said of it; then it stays so. */
function withRetention(state: ChatState, room: Room): ChatState {
  return room.is_archived ? { ...state, roomsVersion: state.roomsVersion + 1 } : withActiveRoom(state, room);
}

/**
 * Whatever we show of somebody who was erased is under the name that is left, and our conversation is gone. What
 * they posted is deleted message by message, and said so.
 */
function withErased(state: ChatState, user: Author): ChatState {
  const renamed = (log: RoomLog): RoomLog => ({
    ...log,
    messages: log.messages.map((message) =>
      message.author.id === user.id ? { ...message, author: user } : message,
    ),
  });
  const { [user.id]: _, ...conversations } = state.conversations;
  return {
    ...state,
    erased: new Set(state.erased).add(user.id),
    logs: Object.fromEntries(Object.entries(state.logs).map(([id, log]) => [id, renamed(log)])),
    conversations,
  };
}

function withViewerChange(state: ChatState, user: Viewer): ChatState {
  if (state.viewer?.id !== user.id) return state;
  return { ...state, viewer: { ...state.viewer, ...user } };
}

function withOnline(
  state: ChatState,
  counts: readonly { id: string; users: number; guests: number }[],
): ChatState {
  if (!state.rooms) return state;
  const rooms = { ...state.rooms };
  for (const { id, users, guests } of counts) {
    const room = rooms[id];
    if (room) rooms[id] = { ...room, online: { users, guests } };
  }
  return { ...state, rooms };
}
