// Merges messages from different sources. The order of arrival does not matter: merging is idempotent, and a newer
// version always wins, so a snapshot and the events around it may arrive in any order.

import type { Author, DirectMessage, Quote } from "../api/gen/types.gen";
import type { RoomLog, TimelineMessage } from "./state";

/** Returns the newer of two versions of a message. A deletion is final; otherwise the later edit wins. */
export function newerMessage(a: TimelineMessage, b: TimelineMessage): TimelineMessage {
  if (a.isDeleted !== b.isDeleted) return a.isDeleted ? a : b;
  return Date.parse(b.edited_at ?? b.created_at) >= Date.parse(a.edited_at ?? a.created_at) ? b : a;
}

/** Merges `page` (ascending by `seq`) into the log. */
export function mergeMessages(log: RoomLog, page: readonly TimelineMessage[]): RoomLog {
  if (page.length === 0) return log;
  const first = log.first ?? 0;
  const kept = page.filter((message) => message.seq >= first);
  const arriving = kept.map((message) => (log.tombstones.has(message.id) ? buried(message) : message));

  // Fast path: nearly every call appends one message at the end.
  const last = log.messages.at(-1);
  const next = arriving[0];
  if (next && (!last || next.seq > last.seq)) return { ...log, messages: [...log.messages, ...arriving] };

  const bySeq = new Map(log.messages.map((message) => [message.seq, message]));
  for (const message of arriving) {
    const known = bySeq.get(message.seq);
    bySeq.set(message.seq, known ? newerMessage(known, message) : message);
  }
  return { ...log, messages: [...bySeq.values()].sort((a, b) => a.seq - b.seq) };
}

/** Deletes the message `id` in the log, even if it has not been loaded yet. */
export function buryMessage(log: RoomLog, id: string): RoomLog {
  return {
    ...log,
    messages: log.messages.map((message) => (message.id === id ? buried(message) : message)),
    tombstones: new Set(log.tombstones).add(id),
  };
}

/** Removes the messages before `first`, now and from pages that are on their way. */
export function trimMessages(log: RoomLog, first: number): RoomLog {
  if (first <= (log.first ?? 1)) return log;
  const messages = log.messages.filter((message) => message.seq >= first);
  const [from, to] = [log.from && Math.max(log.from, first), log.to && Math.max(log.to, first - 1)];
  const gone = ({ seq }: Quote) => (seq < first ? { seq, author: null, excerpt: null } : null);
  return requoted({ ...log, messages, first, from, to }, gone);
}

/** Length of the excerpt of an original, in characters, as the server cuts it. */
const EXCERPT = 160;

/** The quote of a message; `body` is null if it was deleted. */
export function quoteOf(seq: number, author: Author | null, body: string | null): Quote {
  return { seq, author, excerpt: body === null ? null : [...body].slice(0, EXCERPT).join("") };
}

/** Changes the quotes of the message at `seq`, whose text is now `body`; null if it was deleted. */
export function requote(log: RoomLog, seq: number, body: string | null): RoomLog {
  const original = log.messages.find((message) => message.seq === seq);
  const text = original ? original.body : body;
  return requoted(log, (quote) => (quote.seq === seq ? quoteOf(seq, quote.author, text) : null));
}

/** Replaces the quotes for which `change` returns another one. */
export function requoted(log: RoomLog, change: (quote: Quote) => Quote | null): RoomLog {
  let isChanged = false;
  const messages = log.messages.map((message) => {
    const reply_to = message.reply_to && change(message.reply_to);
    isChanged ||= reply_to !== null;
    return reply_to ? { ...message, reply_to } : message;
  });
  return isChanged ? { ...log, messages } : log;
}

function buried(message: TimelineMessage): TimelineMessage {
  return { ...message, body: null, isDeleted: true, reply_to: null, mentions: [], reactions: [] };
}

/** Direct messages are never edited, so `pos` identifies a version. */
export function mergeDirects(
  known: readonly DirectMessage[],
  page: readonly DirectMessage[],
): readonly DirectMessage[] {
  const byPos = new Map([...known, ...page].map((message) => [message.pos, message]));
  return [...byPos.values()].sort((a, b) => a.pos - b.pos);
}
