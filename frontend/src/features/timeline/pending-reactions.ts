// Reactions that the reader has changed and the server has not confirmed yet.

import type { Reaction } from "../../api/gen/types.gen";
import { Observable } from "../../browser/observable";

/** By message: whether the reader reacts with an emoji, once the change is confirmed. */
export type Pending = ReadonlyMap<string, ReadonlyMap<string, boolean>>;

export const pendingReactions = new Observable<Pending>(new Map());

/** Sets what the reader wants; null once the server has answered. */
export function setPending(messageId: string, emoji: string, mine: boolean | null): void {
  const all = new Map(pendingReactions.current);
  const ofMessage = new Map(all.get(messageId));
  if (mine === null) ofMessage.delete(emoji);
  else ofMessage.set(emoji, mine);
  if (ofMessage.size === 0) all.delete(messageId);
  else all.set(messageId, ofMessage);
  pendingReactions.set(all);
}

/** The reactions after the reader's own one with `emoji` was added or removed; no change if it already was. */
export function withOwn(reactions: readonly Reaction[], emoji: string, mine: boolean): readonly Reaction[] {
  const known = reactions.find((reaction) => reaction.emoji === emoji);
  if ((known?.mine ?? false) === mine) return reactions;
  if (!known) return [...reactions, { emoji, count: 1, mine }];
  const count = known.count + (mine ? 1 : -1);
  return reactions.flatMap((reaction) =>
    reaction !== known ? [reaction] : count > 0 ? [{ emoji, count, mine }] : [],
  );
}

export function withPending(
  reactions: readonly Reaction[],
  pending: ReadonlyMap<string, boolean> | undefined,
): readonly Reaction[] {
  return [...(pending ?? [])].reduce((all, [emoji, mine]) => withOwn(all, emoji, mine), reactions);
}
