// One type for all messages of a timeline: public or private, confirmed or unsent.

import type { Author, DirectMessage, Quote, Reaction, User } from "../../api/gen/types.gen";
import type { TimelineMessage } from "../../realtime/state";
import { toReadable } from "../composer/mention-text";
import type { Unsent } from "../composer/outbox-records";
import { type Pending, withPending } from "./pending-reactions";
import type { RowMessage } from "./rows";

export interface Entry extends RowMessage {
  author: Author;
  body: string | null;
  isDeleted: boolean;
  isEdited: boolean;
  /** True if it is pinned in its room. */
  isPinned?: boolean;
  /** The message that it answers. */
  replyTo: Quote | null;
  mentions: readonly Author[];
  /** With the reader's own changes that are not confirmed yet. */
  reactions: readonly Reaction[];
  /** The message's id and position (`seq` in a room, `pos` in a conversation); null until the server confirmed it. */
  confirmed: { id: string; order: number } | null;
  /** Set while unsent. */
  unsent: Unsent | null;
}

const keyOf = (authorId: string, clientId: string | null, id: string) =>
  clientId === null ? id : `${authorId} ${clientId}`;

export function roomEntries(
  messages: readonly TimelineMessage[],
  pending: Pending,
  pins: readonly TimelineMessage[] = [],
): Entry[] {
  const pinned = new Set(pins.map(({ id }) => id));
  // A quote does not have the names of those whom its message mentions.
  const nameOf = (id: string) => nameIn(messages, id);
  return messages.map((message) => {
    const plain = roomEntry(message, pending.get(message.id));
    const entry = pinned.has(message.id) && !message.isDeleted ? { ...plain, isPinned: true } : plain;
    const excerpt = entry.replyTo?.excerpt;
    if (!entry.replyTo || !excerpt?.includes("@[")) return entry;
    return { ...entry, replyTo: { ...entry.replyTo, excerpt: toReadable(excerpt, nameOf) } };
  });
}

function nameIn(messages: readonly TimelineMessage[], id: string): string | undefined {
  for (const { author, mentions } of messages) {
    const known = author.id === id ? author : mentions.find((person) => person.id === id);
    if (known) return known.username;
  }
  return undefined;
}

export function roomEntry(message: TimelineMessage, pending?: ReadonlyMap<string, boolean>): Entry {
  return {
    key: keyOf(message.author.id, message.client_id, message.id),
    authorId: message.author.id,
    author: message.author,
    writtenAt: message.created_at,
    body: message.body,
    isDeleted: message.isDeleted,
    isEdited: message.edited_at !== null && !message.isDeleted,
    replyTo: message.reply_to,
    mentions: message.mentions,
    reactions: message.isDeleted ? [] : withPending(message.reactions, pending),
    confirmed: { id: message.id, order: message.seq },
    unsent: null,
  };
}

export function directEntry(message: DirectMessage): Entry {
  return {
    key: keyOf(message.sender.id, message.client_id, message.id),
    authorId: message.sender.id,
    author: message.sender,
    writtenAt: message.created_at,
    body: message.body,
    isDeleted: false,
    isEdited: false,
    replyTo: null,
    mentions: [],
    reactions: [],
    confirmed: { id: message.id, order: message.pos },
    unsent: null,
  };
}

/** Appends the unsent messages that `confirmed` does not contain yet. */
export function withUnsent(
  confirmed: readonly Entry[],
  unsent: readonly Unsent[],
  viewer: User | null,
): Entry[] {
  if (!viewer || unsent.length === 0) return [...confirmed];
  const shown = new Set(confirmed.map(({ key }) => key));
  const waiting = unsent.map(
    (item): Entry => ({
      key: keyOf(viewer.id, item.clientId, item.clientId),
      authorId: viewer.id,
      author: viewer,
      writtenAt: item.writtenAt,
      body: item.body,
      isDeleted: false,
      isEdited: false,
      replyTo: item.replyTo,
      mentions: item.mentions,
      reactions: [],
      confirmed: null,
      unsent: item,
    }),
  );
  return [...confirmed, ...waiting.filter(({ key }) => !shown.has(key))];
}
