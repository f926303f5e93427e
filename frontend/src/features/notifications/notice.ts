// Turns events into notices, which the service worker shows: the rules of what notifies.

import type { KnownRoom } from "../../api/earlier-release";
import type { DirectMessage, InboxItem, Message } from "../../api/gen/types.gen";
import type { ServerEvent } from "../../realtime/server-event";
import { type ChatState, peerOf } from "../../realtime/state";
import { toReadable } from "../composer/mention-text";

/** The shape of what the server pushes. */
export interface Notice {
  kind: "mention" | "reply" | "direct" | "message" | "test";
  room: { id: string; name: string } | null;
  from: string | null;
  text: string | null;
  url: string;
  tag: string;
  pos: number;
  /** Number of unread messages, if it is known. */
  count?: number;
}

const LONGEST_TEXT = 160;

export const roomTag = (roomId: string) => `room:${roomId}`;
export const directTag = (userId: string) => `direct:${userId}`;

/** Returns the notices of an event for the viewer of `state`, who has not read it anywhere as far as is known. */
export function noticesOf(
  event: ServerEvent,
  before: ChatState,
  state: ChatState,
  preview: boolean,
): Notice[] {
  switch (event.kind) {
    case "message.posted":
      return [ofMessage(event.data, state, preview)].filter((notice) => notice !== null);
    case "direct.posted":
      return [ofDirect(event.data, state, preview)].filter((notice) => notice !== null);
    case "inbox.added":
      return [ofItem(event.data, state, preview)].filter((notice) => notice !== null);
    case "lobby":
      return event.data.rooms.flatMap(({ id }) => ofNews(id, before, state) ?? []);
    default:
      return [];
  }
}

/** A message of an open room. */
export function ofMessage(message: Message, state: ChatState, preview: boolean): Notice | null {
  const { viewer } = state;
  const room = state.rooms?.[message.room_id];
  if (!viewer || !room || message.author.id === viewer.id) return null;
  const level = levelOf(room);
  if (level === "none" || message.seq <= (room.membership?.read_seq ?? 0)) return null;
  const isReply = message.reply_to?.author?.id === viewer.id;
  const isMention = message.mentions?.some(({ id }) => id === viewer.id) ?? false;
  if (level === "mentions" && !isReply && !isMention) return null;
  return { ...inRoom(message, room, preview), kind: isReply ? "reply" : isMention ? "mention" : "message" };
}

type Place = { id: string; slug: string; name: string };

function inRoom(message: Message, { id, slug, name }: Place, preview: boolean): Omit<Notice, "kind"> {
  const nameOf = (id: string) => message.mentions?.find((one) => one.id === id)?.username;
  return {
    room: { id, name },
    from: message.author.username,
    text: preview ? excerpt(toReadable(message.body ?? "", nameOf)) : null,
    url: pathOf({ id, slug }, message.seq),
    tag: roomTag(id),
    pos: message.pos,
  };
}

/** A mention or reply in any room. In an open one, the worker has heard of it by the message itself. */
function ofItem(item: InboxItem, state: ChatState, preview: boolean): Notice | null {
  const { kind, message, room, pos } = item;
  if (item.read) return null;
  if (!("room_id" in message)) return ofDirect(message, state, preview);
  const known = state.rooms?.[message.room_id];
  const isRead = message.seq <= (known?.membership?.read_seq ?? 0);
  if (!state.viewer || !room || isRead || (known && levelOf(known) === "none")) return null;
  return { ...inRoom(message, room, preview), kind, pos };
}

export function ofDirect(message: DirectMessage, state: ChatState, preview: boolean): Notice | null {
  const { viewer } = state;
  if (!viewer || message.sender.id === viewer.id || message.recipient.id !== viewer.id) return null;
  const peer = peerOf(message, viewer.id);
  return {
    kind: "direct",
    room: null,
    from: preview ? peer.username : null,
    text: preview ? excerpt(message.body) : null,
    url: `/dm/${peer.id}`,
    tag: directTag(peer.id),
    pos: message.pos,
  };
}

/** A room of level "all" that no tab has open: only the number of its messages is known. */
function ofNews(roomId: string, before: ChatState, { rooms, coverage }: ChatState): Notice | null {
  const [room, known] = [rooms?.[roomId], before.rooms?.[roomId]];
  if (!room?.membership || !known || room.head_seq <= known.head_seq || coverage.rooms[roomId]) return null;
  const { level, unread } = room.membership;
  if (level !== "all" || unread <= (known.membership?.unread ?? 0)) return null;
  const [tag, url] = [roomTag(roomId), pathOf(room, room.head_seq)];
  const { name } = room;
  return {
    kind: "message",
    room: { id: roomId, name },
    from: null,
    text: null,
    url,
    tag,
    pos: 0,
    count: unread,
  };
}

/** A name without letters or digits has no slug. */
const pathOf = ({ id, slug }: { id: string; slug: string }, seq: number) =>
  `/r/${slug === "" ? "" : `${slug}-`}${id}/${seq}`;

const levelOf = ({ membership }: KnownRoom) => membership?.level ?? "mentions";

function excerpt(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length > LONGEST_TEXT ? `${characters.slice(0, LONGEST_TEXT - 1).join("")}…` : line;
}
