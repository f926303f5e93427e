// Reactions of a message, as events change them. Events do not know their reader, so `mine` comes from the page, and from
// the changes that name the reader.

import type { MessageReactionsData, Reaction } from "../api/gen/types.gen";

/** Absent from messages of an earlier release. */
type Reactions = readonly Reaction[] | undefined;

/** Returns `reactions` of an event with the reader's own among `known` marked. */
export function keepOwn(reactions: Reactions, known: Reactions): Reaction[] {
  const own = new Set(known?.filter(({ mine }) => mine).map(({ emoji }) => emoji));
  return (reactions ?? []).map((reaction) => ({ ...reaction, mine: own.has(reaction.emoji) }));
}

/** Applies an event to what was known: its numbers replace the old ones. */
export function reacted(
  { reactions, changes }: MessageReactionsData,
  known: Reactions,
  viewerId: string | undefined,
): Reaction[] {
  const changed = new Map(
    changes.filter(({ user_id }) => user_id === viewerId).map(({ emoji, added }) => [emoji, added]),
  );
  const counted = reactions.map((reaction) => ({ ...reaction, mine: false }));
  return keepOwn(counted, known).map((reaction) => ({
    ...reaction,
    mine: changed.get(reaction.emoji) ?? reaction.mine,
  }));
}
