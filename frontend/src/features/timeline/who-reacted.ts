// The names of those who reacted to a message.

import { useQuery } from "@tanstack/react-query";
import { listReactions } from "../../api/gen/sdk.gen";
import type { Author, Reaction, ReactionUsers } from "../../api/gen/types.gen";
import { answer } from "../../api/problem";

/** Names are read when they are looked at, and again once the reactions have changed. */
export function useWhoReacted(messageId: string, reactions: readonly Reaction[]) {
  const counts = reactions.map(({ emoji, count }) => `${emoji}${count}`).join(" ");
  return useQuery({
    queryKey: ["reactions", messageId, counts],
    queryFn: async () => (await answer(listReactions({ path: { id: messageId } }))).reactions,
    staleTime: 10_000,
    retry: 1,
  });
}

/** "You, mia and 3 others" */
export function namesSentence(
  { users, count }: Pick<ReactionUsers, "users" | "count">,
  viewerId?: string,
): string {
  const names = viewerFirst(users, viewerId).map(({ id, username }) => (id === viewerId ? "You" : username));
  const shown = names.slice(0, count > 3 ? 2 : 3);
  const others = count - shown.length;
  const parts = others > 0 ? [...shown, others === 1 ? "1 other" : `${others} others`] : shown;
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

export function viewerFirst(users: readonly Author[], viewerId?: string): readonly Author[] {
  const isViewer = ({ id }: Author) => id === viewerId;
  return [...users.filter(isViewer), ...users.filter((user) => !isViewer(user))];
}
