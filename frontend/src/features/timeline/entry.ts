// One type for all messages of a timeline: public or private, confirmed or unsent.

import type { Author, DirectMessage, Quote, Reaction, User } from "../../api/gen/types.gen";
import type { TimelineMessage } from "../../realtime/state";
import type { Unsent } from "../composer/outbox-records";
import { withPending } from "./pending-reactions";
import type { RowMessage } from "./rows";

export interface Entry extends RowMessage {
  author: Author;
  body: string | null;
  isDeleted: boolean;
  isEdited: boolean;
  /** The message that it answers. */
  replyTo: Quote | null;
  /** With the reader's own changes that are not confirmed yet. */
  reactions: readonly Reaction[];
  /** The message's id and position (`seq` in a room, `pos` in a conversation); null until the server confirmed it. */
  confirmed: { id: string; order: number } | null;
  /** Set while unsent. */
  unsent: Unsent | null;
}

const keyOf = (authorId: string, clientId: string | null, id: string) =>
  clientId === null ? id : `${authorId} ${clientId}`;

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
      reactions: [],
      confirmed: null,
      unsent: item,
    }),
  );
  return [...confirmed, ...waiting.filter(({ key }) => !shown.has(key))];
}
