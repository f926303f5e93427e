// Joins snapshots loaded by REST to the events that arrived meanwhile. Pure, like `apply`.

import type { KnownRoom, RoomPage } from "../api/earlier-release";
import type {
  Conversation as ConversationSummary,
  DirectMessage,
  Membership,
  Message,
} from "../api/gen/types.gen";
import { mergeDirects, mergeMessages, trimMessages } from "./merge";
import { keepOwn } from "./reactions";
import {
  type ChatState,
  EMPTY_LOG,
  EMPTY_STATE,
  type RoomLog,
  shownMessages,
  timelineMessage,
  type Viewer,
} from "./state";

/** Number of closed rooms whose messages are kept, so that reopening them is instant. */
const KEPT_LOGS = 8;

/** Creates a log for a room that is about to be shown. Messages that are out of date are dropped if `isStale`. */
export function withOpenRoom(state: ChatState, roomId: string, isStale = false): ChatState {
  const { [roomId]: known = EMPTY_LOG, ...others } = state.logs;
  const log = isStale ? { ...EMPTY_LOG, tombstones: known.tombstones } : known;
  const kept = Object.entries(others).slice(-(KEPT_LOGS - 1));
  return { ...state, logs: { ...Object.fromEntries(kept), [roomId]: log } };
}

/**
 * Sets the first page of the list of active rooms, requested at `version`. Rooms that are not on it stay known only if
 * the list continues, and the stream has covered the lobby since they were loaded.
 */
export function withRooms(state: ChatState, page: RoomPage, version: number): ChatState {
  const { next = null } = page;
  // An event since then names a newer one.
  const landing = state.roomsVersion === version ? (page.landing ?? null) : state.landing;
  const isFresh = state.roomsSince !== state.coverage.lobby;
  const kept = Object.entries(state.rooms ?? {}).filter(([id]) => {
    if (state.roomsVersion !== version || state.coverage.rooms[id]) return true;
    return next !== null && !isFresh;
  });
  const known = state.rooms && Object.fromEntries(kept);
  const base = {
    ...state,
    kept: null,
    landing,
    rooms: known,
    roomsSince: state.coverage.lobby,
    roomsNext: next,
  };
  return joinRooms({ ...base, areRoomsPaged: page.next !== undefined }, page.rooms, version, isFresh);
}

/** Shows rooms that were kept in this browser while the server cannot be reached. */
export function withKept(
  state: ChatState,
  kept: readonly { room: KnownRoom; messages: RoomLog["messages"]; readAt: string }[],
): ChatState {
  if (state.rooms !== null) return state;
  const logs = { ...state.logs };
  for (const { room, messages } of kept) {
    const from = messages[0]?.seq ?? room.head_seq + 1;
    if ((logs[room.id]?.from ?? null) === null)
      logs[room.id] = { ...EMPTY_LOG, ...logs[room.id], messages, from };
  }
  return {
    ...state,
    rooms: Object.fromEntries(kept.map(({ room }) => [room.id, room])),
    logs,
    kept: Object.fromEntries(kept.map(({ room, readAt }) => [room.id, readAt])),
  };
}

/** Adds a further page of the list, or the rooms found by a search (without `next`). */
export function withMoreRooms(state: ChatState, page: RoomPage, version: number): ChatState {
  const next = page.next === undefined ? state.roomsNext : page.next;
  return joinRooms({ ...state, roomsNext: next }, page.rooms, version, false);
}

/** Adds one room that was loaded by its id; an archived one can be read by admins only. */
export function withRoom(state: ChatState, room: KnownRoom, version: number): ChatState {
  if (!room.is_archived) return joinRooms({ ...state, rooms: state.rooms ?? {} }, [room], version, false);
  return state.rooms?.[room.id] ? state : { ...state, archived: { ...state.archived, [room.id]: room } };
}

/** Events since `version` are newer than the answer. */
function joinRooms(
  state: ChatState,
  page: readonly KnownRoom[],
  version: number,
  isFresh: boolean,
): ChatState {
  const isCurrent = state.roomsVersion === version;
  const rooms = { ...state.rooms };
  for (const room of page) {
    const known = rooms[room.id];
    if (!isCurrent && state.archived[room.id]) continue;
    const newer = !isCurrent && known ? known : room;
    rooms[room.id] = {
      ...newer,
      head_seq: Math.max(room.head_seq, known?.head_seq ?? 0),
      ...joinMembership(known?.membership, room.membership, isFresh),
    };
  }
  return { ...state, rooms };
}

/** A mark moved here may not have reached the server yet. */
function joinMembership(
  known: Membership | null | undefined,
  read: Membership | null | undefined,
  isFresh: boolean,
): { membership?: Membership | null } {
  if (read === undefined) return known === undefined ? {} : { membership: known };
  const isBehind = known && read && known.read_seq > read.read_seq && !isFresh;
  return { membership: isBehind ? { ...read, read_seq: known.read_seq, unread: known.unread } : read };
}

/** Sets the newest page of a room. Older messages are dropped, since changes to them may have been missed. */
export function withNewestMessages(
  state: ChatState,
  roomId: string,
  page: { messages: readonly Message[]; head_seq: number; first_seq?: number },
): ChatState {
  const log = trimMessages(state.logs[roomId] ?? EMPTY_LOG, page.first_seq ?? 1);
  const from = Math.max(page.messages[0]?.seq ?? page.head_seq + 1, log.first ?? 0);
  const since = { ...log, messages: log.messages.filter((message) => message.seq >= from) };
  const merged = { ...mergeMessages(since, page.messages.map(timelineMessage)), from, to: null };
  return { ...state, logs: { ...state.logs, [roomId]: merged } };
}

/** Sets a page from the middle of a room. Everything else is dropped, since changes to it may have been missed. */
export function withMessagesAround(
  state: ChatState,
  roomId: string,
  page: { messages: readonly Message[]; head_seq: number },
): ChatState {
  const log = state.logs[roomId] ?? EMPTY_LOG;
  const from = page.messages[0]?.seq ?? page.head_seq + 1;
  const since = { ...log, messages: log.messages.filter((message) => message.seq >= from) };
  return withEnd(state, roomId, { ...mergeMessages(since, page.messages.map(timelineMessage)), from }, page);
}

/** Adds the page after the shown messages. */
export function withNewerMessages(
  state: ChatState,
  roomId: string,
  page: { messages: readonly Message[]; head_seq: number },
): ChatState {
  const log = state.logs[roomId];
  if (!log || log.from === null || log.to === null) return state;
  return withEnd(state, roomId, mergeMessages(log, page.messages.map(timelineMessage)), page);
}

/** The end of the room is loaded once nothing newer is known, from the page or from events received meanwhile. */
function withEnd(state: ChatState, roomId: string, log: RoomLog, page: { head_seq: number }): ChatState {
  const end = unbrokenEnd(log.from ?? 0, log.messages);
  const head = Math.max(page.head_seq, log.messages.at(-1)?.seq ?? 0);
  return { ...state, logs: { ...state.logs, [roomId]: { ...log, to: end >= head ? null : end } } };
}

/** Number of messages that an open room keeps, and to how many it is cut when there are more. */
export const MOST_MESSAGES = 1_500;
const CUT_TO = 1_200;

/** Drops the messages that are the farthest from the reader: the newest while scrolling up, the oldest otherwise. */
export function withoutFarMessages(state: ChatState, roomId: string, end: "newest" | "oldest"): ChatState {
  const log = state.logs[roomId];
  const shown = log ? shownMessages(log) : [];
  if (!log || shown.length <= MOST_MESSAGES) return state;
  const kept = end === "newest" ? shown.slice(0, CUT_TO) : shown.slice(-CUT_TO);
  const cut =
    end === "newest"
      ? { messages: kept, to: kept.at(-1)?.seq ?? null }
      : {
          messages: log.messages.filter(({ seq }) => seq >= (kept[0]?.seq ?? 0)),
          from: kept[0]?.seq ?? null,
        };
  return { ...state, logs: { ...state.logs, [roomId]: { ...log, ...cut } } };
}

/**
 * Merges the newest page of a room whose stream is held back, polled every few seconds. Earlier messages are kept if
 * the page continues them without a gap; otherwise this is treated like any other newest page.
 */
export function withPolledMessages(
  state: ChatState,
  roomId: string,
  page: { messages: readonly Message[]; head_seq: number; first_seq?: number },
): ChatState {
  const known = state.logs[roomId];
  const log = known && trimMessages(known, page.first_seq ?? 1);
  const first = page.messages[0];
  if (log && log.to !== null) return state;
  if (!log || log.from === null || !first) return withNewestMessages(state, roomId, page);
  if (first.seq > unbrokenEnd(log.from, log.messages) + 1 || first.seq < log.from)
    return withNewestMessages(state, roomId, page);
  return {
    ...state,
    logs: { ...state.logs, [roomId]: mergeMessages(log, page.messages.map(timelineMessage)) },
  };
}

/** Returns the last `seq` before the first gap: the response to a post may arrive before earlier posts of others. */
function unbrokenEnd(from: number, messages: readonly { seq: number }[]): number {
  let end = from - 1;
  for (const { seq } of messages) {
    if (seq < from) continue;
    if (end >= from && seq !== end + 1) break;
    end = seq;
  }
  return end;
}

/** Adds the page before the shown messages. */
export function withOlderMessages(state: ChatState, roomId: string, messages: readonly Message[]): ChatState {
  const log = state.logs[roomId];
  if (!log) return state;
  const from = Math.max(messages[0]?.seq ?? 1, log.first ?? 0);
  const merged = {
    ...mergeMessages(log, messages.map(timelineMessage)),
    from: Math.min(from, log.from ?? from),
  };
  return { ...state, logs: { ...state.logs, [roomId]: merged } };
}

/**
 * A room's `seq` has no gaps, so a message without its predecessor means that one was missed. This should never happen;
 * if it does, the room is loaded again instead of being shown with a gap.
 */
export function withoutHole(state: ChatState, { room_id, seq }: { room_id: string; seq: number }): ChatState {
  const log = state.logs[room_id];
  if (!log || log.from === null || log.to !== null) return state;
  if (seq <= log.from || !state.coverage.rooms[room_id]) return state;
  if (log.messages.findLast((message) => message.seq < seq)?.seq === seq - 1) return state;
  const count = state.coverage.count + 1;
  return {
    ...state,
    coverage: { ...state.coverage, count, rooms: { ...state.coverage.rooms, [room_id]: count } },
  };
}

/** Adds a page of the list of conversations, which then is loaded from this `pos` on. */
export function withConversations(
  state: ChatState,
  summaries: readonly ConversationSummary[],
  from = 0,
): ChatState {
  const standing = summaries.filter(({ user }) => !state.erased.has(user.id));
  const read = standing.map(({ user, last_message }) => {
    const known = state.conversations[user.id] ?? { messages: [], isLoaded: false, isComplete: false };
    return [user.id, { ...known, user, messages: mergeDirects(known.messages, [last_message]) }] as const;
  });
  const conversations = { ...state.conversations, ...Object.fromEntries(read) };
  return { ...state, conversations, conversationsFrom: Math.min(from, state.conversationsFrom ?? from) };
}

/** Adds a page of one conversation; a page shorter than requested is the oldest one. */
export function withDirects(
  state: ChatState,
  user: { id: string; username: string },
  page: { messages: readonly DirectMessage[]; isComplete: boolean; isOlder: boolean },
): ChatState {
  if (state.erased.has(user.id)) return state;
  const { messages: known = [], isComplete = false } = state.conversations[user.id] ?? {};
  const first = page.messages[0]?.pos ?? 0;
  // A newly loaded newest page may leave a gap behind it, unless both share a message; older messages are loaded again
  // when they are scrolled to.
  const isJoint = page.isOlder || known.some(({ pos }) => pos === first);
  const joined = isJoint ? known : known.filter((message) => message.pos >= first);
  const conversation = {
    user,
    messages: mergeDirects(joined, page.messages),
    isLoaded: true,
    isComplete: page.isComplete || (isComplete && isJoint),
  };
  return { ...state, conversations: { ...state.conversations, [user.id]: conversation } };
}

/** Sets the viewer after signing in or out, and drops private data of the previous one. */
export function withViewer(state: ChatState, viewer: Viewer | null): ChatState {
  if (state.viewer?.id === viewer?.id) return { ...state, viewer: viewer && { ...state.viewer, ...viewer } };
  const { conversations, conversationsFrom, inbox } = EMPTY_STATE;
  const coverage = { ...state.coverage, directs: 0 };
  const bare = Object.values(state.rooms ?? {}).map(({ membership: _, ...room }) => [room.id, room] as const);
  const rooms = state.rooms && Object.fromEntries(bare);
  const logs = Object.fromEntries(
    Object.entries(state.logs).map(([id, log]) => [
      id,
      {
        ...log,
        messages: log.messages.map((message) => ({ ...message, reactions: keepOwn(message.reactions, []) })),
      },
    ]),
  );
  return { ...state, viewer, rooms, logs, conversations, conversationsFrom, inbox, coverage };
}
