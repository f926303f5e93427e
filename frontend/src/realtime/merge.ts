// Joins two accounts of the same messages. Order of arrival never matters: merging is idempotent, and a newer
// version always wins over an older one, so a snapshot and the events around it may meet in any order.

import type { DirectMessage } from "../api/gen/types.gen";
import type { RoomLog, TimelineMessage } from "./state";

/** The newer of two versions of one message. A deletion is final; otherwise the later edit wins. */
export function newerMessage(a: TimelineMessage, b: TimelineMessage): TimelineMessage {
  if (a.isDeleted !== b.isDeleted) return a.isDeleted ? a : b;
  return Date.parse(b.edited_at ?? b.created_at) >= Date.parse(a.edited_at ?? a.created_at) ? b : a;
}

/** The log with `page` (ascending by `seq`) merged in. */
export function mergeMessages(log: RoomLog, page: readonly TimelineMessage[]): RoomLog {
  if (page.length === 0) return log;
  const arriving = page.map((message) => (log.tombstones.has(message.id) ? buried(message) : message));

  // Nearly every call appends one message at the end: no need to walk the log for that.
  const last = log.messages.at(-1);
  const first = arriving[0];
  if (first && (!last || first.seq > last.seq)) return { ...log, messages: [...log.messages, ...arriving] };

  const bySeq = new Map(log.messages.map((message) => [message.seq, message]));
  for (const message of arriving) {
    const known = bySeq.get(message.seq);
    bySeq.set(message.seq, known ? newerMessage(known, message) : message);
  }
  return { ...log, messages: [...bySeq.values()].sort((a, b) => a.seq - b.seq) };
}

/** The log after the message `id` was deleted, whether or not it was read before. */
export function buryMessage(log: RoomLog, id: string): RoomLog {
  return {
    ...log,
    messages: log.messages.map((message) => (message.id === id ? buried(message) : message)),
    tombstones: new Set(log.tombstones).add(id),
  };
}

function buried(message: TimelineMessage): TimelineMessage {
  return { ...message, body: null, isDeleted: true };
}

/** Direct messages are never edited, so each `pos` says everything. */
export function mergeDirects(
  known: readonly DirectMessage[],
  page: readonly DirectMessage[],
): readonly DirectMessage[] {
  const byPos = new Map([...known, ...page].map((message) => [message.pos, message]));
  return [...byPos.values()].sort((a, b) => a.pos - b.pos);
}
