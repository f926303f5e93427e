// The only place where stream events change the cached data: pure, and exhaustive over every kind of event that this
// release knows.

import type { KnownRoom, LobbyNews } from "../api/earlier-release";
import type {
  Author,
  DirectMessage,
  MessageReactionsData,
  Reaction,
  Room,
  RoomReadData,
  RoomTrimmedData,
} from "../api/gen/types.gen";
import { withInboxDirect, withInboxEdit, withInboxItem, withoutInboxMessage, withoutInboxOf } from "./inbox";
import { buryMessage, mergeDirects, mergeMessages, requote, requoted, trimMessages } from "./merge";
import { withPinned, withPinsChanged, withUnpinned } from "./pins";
import { keepOwn, reacted } from "./reactions";
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
      return withInboxEdit(withEdited(state, timelineMessage(event.data)), event.data);
    case "message.pinned":
      return withPinned(state, timelineMessage(event.data));
    case "message.unpinned":
      return withUnpinned(state, event.data);
    case "message.reactions":
      return withReactions(state, event.data);
    case "message.deleted":
      return withoutInboxMessage(withDeleted(state, event.data), event.data.id);
    case "direct.posted":
      return withInboxDirect(withDirect(state, event.data), event.data);
    case "room.created":
    case "room.renamed":
    case "room.restored":
      return withActiveRoom(state, event.data);
    case "room.archived":
      return withArchivedRoom(state, event.data);
    case "room.retention_set":
    case "room.topic_set":
    case "room.indexable_set":
    case "room.landing_set":
      return withSetting(state, event.data);
    case "room.read":
      return withRead(state, event.data);
    case "inbox.added":
      return withInboxItem(state, event.data);
    case "room.trimmed":
      return withTrimmed(state, event.data);
    case "user.changed":
      return withViewerChange(state, event.data);
    case "user.erased":
      return withoutInboxOf(withErased(state, event.data), event.data.id);
    case "presence":
      return withNews(state, [{ ...event.data, id: event.data.room_id }]);
    case "lobby":
      return withNews(state, event.data.rooms);
    case "reset":
      return { ...state, coverage: renewedCoverage(state.coverage) };
    case "typing": // Kept for some seconds only: see `features/people/typing.ts`.
    case "heartbeat":
    case "expiring":
    case "drain":
    case "bye":
      return state; // The others concern the connection, not the chat.
    default:
      event satisfies never;
      return state; // An event of a newer release, from another tab: ignored.
  }
}

/** Starts coverage of rooms that the stream newly carries, and ends that of rooms it no longer carries. */
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

  const viewer = isViewer && state.viewer ? { ...state.viewer, ...hello.user } : state.viewer;
  const next = { ...state, viewer, missing: hello.missing, coverage };
  return withNews(next, [...hello.rooms, ...(hello.followed ?? [])]);
}

/** Restarts all coverage: events were skipped, so every snapshot has to be loaded again. */
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

/** Adds a new message, from the stream or from the response to a post, whichever comes first. */
export function withPosted(state: ChatState, message: TimelineMessage): ChatState {
  const room = state.rooms?.[message.room_id];
  const isOwn = message.author.id === state.viewer?.id;
  const known =
    room && message.seq > room.head_seq
      ? { ...state, rooms: { ...state.rooms, [room.id]: withHead(room, message.seq, isOwn ? 1 : 0) } }
      : state;
  return withLog(known, message.room_id, (log) => withoutFarNews(mergeMessages(log, [message])));
}

/** Number of messages that are kept beyond the loaded part of a room, since their page may be on its way. */
const MOST_BEYOND = 200;

/** In a busy room, news must not pile up beyond what the reader has loaded. */
function withoutFarNews(log: RoomLog): RoomLog {
  const { to } = log;
  if (to === null || (log.messages.at(-MOST_BEYOND - 1)?.seq ?? 0) <= to) return log;
  const isNear = ({ seq }: TimelineMessage, at: number) =>
    seq <= to || at >= log.messages.length - MOST_BEYOND;
  return { ...log, messages: log.messages.filter(isNear) };
}

function withTrimmed(state: ChatState, { room_id, first_seq }: RoomTrimmedData): ChatState {
  const trimmed = withLog(state, room_id, (log) => trimMessages(log, first_seq));
  return withPinsChanged(trimmed, (pin) => (pin.room_id === room_id && pin.seq < first_seq ? null : pin));
}

/** Applies an edit, from the stream or from the response to it. */
export function withEdited(before: ChatState, message: TimelineMessage): ChatState {
  const state = withPinsChanged(before, (pin) => (pin.id === message.id ? message : pin));
  return withLog(state, message.room_id, (log) =>
    requote(mergeMessages(log, [withOwnReactions(log, message)]), message.seq, message.body),
  );
}

/** Neither the event nor the response to an edit says which reactions are the reader's. */
function withOwnReactions(log: RoomLog, message: TimelineMessage): TimelineMessage {
  const known = log.messages.find(({ id }) => id === message.id);
  return { ...message, reactions: keepOwn(message.reactions, known?.reactions) };
}

function withReactions(state: ChatState, data: MessageReactionsData): ChatState {
  return withChangedReactions(state, data.room_id, data.id, (known) =>
    reacted(data, known, state.viewer?.id),
  );
}

/** Changes the reactions of a message, unless it was deleted or is not loaded. */
export function withChangedReactions(
  state: ChatState,
  roomId: string,
  id: string,
  change: (known: readonly Reaction[]) => readonly Reaction[],
): ChatState {
  const changed = (message: TimelineMessage) =>
    message.id === id && !message.isDeleted
      ? { ...message, reactions: [...change(message.reactions)] }
      : message;
  return withLog(state, roomId, (log) => ({ ...log, messages: log.messages.map(changed) }));
}

export function withDeleted(
  state: ChatState,
  { id, room_id, seq }: { id: string; room_id: string; seq: number },
): ChatState {
  const message = state.logs[room_id]?.messages.find((message) => message.id === id);
  const room = state.rooms?.[room_id];
  const { membership } = room ?? {};
  const unpinned = withPinsChanged(state, (pin) => (pin.id === id ? null : pin));
  const next = withLog(unpinned, room_id, (log) => requote(buryMessage(log, id), seq, null));
  if (!room || !membership || !message || message.isDeleted) return next;
  // An unread message that is deleted does not count any more.
  if (message.author.id === state.viewer?.id || message.seq <= membership.read_seq) return next;
  const unread = Math.max(0, membership.unread - 1);
  return withRead(next, { ...membership, room_id, unread });
}

/** Changes the log of a room; rooms that were never opened here have none. */
function withLog(state: ChatState, roomId: string, change: (log: RoomLog) => RoomLog): ChatState {
  const log = state.logs[roomId];
  return log ? { ...state, logs: { ...state.logs, [roomId]: change(log) } } : state;
}

export function withDirect(state: ChatState, message: DirectMessage): ChatState {
  const viewerId = state.viewer?.id;
  // Another tab's stream may still belong to the previous user.
  if (!viewerId || (message.sender.id !== viewerId && message.recipient.id !== viewerId)) return state;
  const user = peerOf(message, viewerId);
  if (state.erased.has(user.id)) return state;
  const known = state.conversations[user.id] ?? { user, messages: [], isLoaded: false, isComplete: false };
  const conversation = { ...known, messages: mergeDirects(known.messages, [message]) };
  return { ...state, conversations: { ...state.conversations, [user.id]: conversation } };
}

function withActiveRoom(before: ChatState, room: Room): ChatState {
  const state = withLanding(before, room);
  const known = state.rooms?.[room.id];
  const { [room.id]: _, ...archived } = state.archived;
  // The counts in a frame date from its creation; presence events are newer.
  const merged = known
    ? { ...known, ...room, online: known.online, head_seq: Math.max(known.head_seq, room.head_seq) }
    : { ...room, ...newMembership(state, room) };
  return {
    ...state,
    rooms: state.rooms && { ...state.rooms, [room.id]: merged },
    roomsVersion: state.roomsVersion + 1,
    archived,
    missing: state.missing.filter((id) => id !== room.id),
  };
}

/** Events carry no membership. Where the server keeps marks, a new room begins as read. */
function newMembership(state: ChatState, { head_seq }: Room): Pick<KnownRoom, "membership"> {
  const keepsMarks = Object.values(state.rooms ?? {}).some(({ membership }) => membership);
  return keepsMarks ? { membership: { read_seq: head_seq, unread: 0, mentions: 0, level: "mentions" } } : {};
}

function withArchivedRoom(state: ChatState, room: Room): ChatState {
  const { [room.id]: _, ...rooms } = state.rooms ?? {};
  return {
    ...state,
    rooms: state.rooms && rooms,
    landing: state.landing === room.id ? null : state.landing,
    roomsVersion: state.roomsVersion + 1,
    archived: { ...state.archived, [room.id]: room },
  };
}

/** The room may be archived; it then stays archived. */
function withSetting(state: ChatState, room: Room): ChatState {
  if (!room.is_archived) return withActiveRoom(state, room);
  return { ...withLanding(state, room), roomsVersion: state.roomsVersion + 1 };
}

/** There is one landing room at most. */
function withLanding(state: ChatState, { id, landing, is_archived }: Room): ChatState {
  const former = Object.values(state.rooms ?? {}).filter((room) => room.landing && room.id !== id);
  if (!landing || (former.length === 0 && (is_archived || state.landing === id))) return state;
  const cleared = former.map((room) => [room.id, { ...room, landing: false }] as const);
  return {
    ...state,
    rooms: state.rooms && { ...state.rooms, ...Object.fromEntries(cleared) },
    landing: is_archived ? null : id,
  };
}

/**
 * Replaces the name of an erased user and removes the conversation with them. Their messages are deleted by separate
 * events.
 */
function withErased(before: ChatState, user: Author): ChatState {
  const state = withPinsChanged(before, (pin) =>
    pin.author.id === user.id ? { ...pin, author: user } : pin,
  );
  const renamed = (log: RoomLog): RoomLog => {
    const messages = log.messages.map((message) => {
      const isMentioned = message.mentions.some(({ id }) => id === user.id);
      if (message.author.id !== user.id && !isMentioned) return message;
      const author = message.author.id === user.id ? user : message.author;
      return {
        ...message,
        author,
        mentions: message.mentions.map((one) => (one.id === user.id ? user : one)),
      };
    });
    return requoted({ ...log, messages }, (quote) =>
      quote.author?.id === user.id ? { ...quote, author: user } : null,
    );
  };
  const { [user.id]: _, ...conversations } = state.conversations;
  return {
    ...state,
    erased: new Set(state.erased).add(user.id),
    logs: Object.fromEntries(Object.entries(state.logs).map(([id, log]) => [id, renamed(log)])),
    conversations,
  };
}

/** Reading on any device of the viewer: marks are kept by the server. */
function withRead(state: ChatState, { room_id, ...read }: RoomReadData): ChatState {
  const room = state.rooms?.[room_id];
  if (!room?.membership) return state;
  return {
    ...state,
    rooms: { ...state.rooms, [room_id]: { ...room, membership: { ...room.membership, ...read } } },
  };
}

/** Moves the viewer's mark before the server has confirmed it; `unread` is exact only at the end of a room. */
export function withMark(state: ChatState, roomId: string, seq: number): ChatState {
  const room = state.rooms?.[roomId];
  if (!room?.membership) return state;
  const { unread, read_seq, mentions, level } = room.membership;
  const left = Math.max(0, room.head_seq - seq);
  const counted = seq < read_seq ? left : Math.min(left, unread);
  return withRead(state, {
    room_id: roomId,
    read_seq: seq,
    unread: counted,
    mentions: left === 0 ? 0 : mentions,
    level,
  });
}

function withViewerChange(state: ChatState, user: Viewer): ChatState {
  if (state.viewer?.id !== user.id) return state;
  return { ...state, viewer: { ...state.viewer, ...user } };
}

/** Online counts and newest messages of rooms; those that are not known here are ignored. */
function withNews(state: ChatState, news: readonly LobbyNews[]): ChatState {
  if (!state.rooms) return state;
  const rooms = { ...state.rooms };
  for (const { id, head_seq = 0, users, guests } of news) {
    const room = rooms[id];
    if (!room) continue;
    const online = users === undefined || guests === undefined ? room.online : { users, guests };
    rooms[id] = { ...withHead(room, head_seq), online };
  }
  return { ...state, rooms };
}

/**
 * Moves the newest position of a room and counts the messages in between as unread, except `own` ones. Whether the
 * others are deleted or were written on another device is known only to the server, whose count comes later.
 */
function withHead(room: KnownRoom, head_seq: number, own = 0): KnownRoom {
  if (head_seq <= room.head_seq) return room;
  const { membership } = room;
  if (!membership) return { ...room, head_seq };
  const news = head_seq - Math.max(room.head_seq, membership.read_seq) - own;
  return { ...room, head_seq, membership: { ...membership, unread: membership.unread + Math.max(0, news) } };
}
