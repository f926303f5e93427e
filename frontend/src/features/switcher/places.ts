// The rooms and conversations of the reader, as the switcher and the shortcuts see them.

import { useMemo } from "react";
import { useConversations, useUnreadPeers } from "../direct-messages/use-conversations";
import { useRooms } from "../rooms/use-rooms";
import { useVisitedRooms } from "../rooms/visited";
import { useUnread } from "../unread/use-unread";

export interface Place {
  path: string;
  kind: "room" | "person";
  name: string;
  unread: number;
  /** Position among the places visited last, 0 for the latest; null if it was not visited. */
  visited: number | null;
}

/** Rooms in the order of the sidebar, then conversations, most recent first. */
export function usePlaces(): Place[] {
  const rooms = useRooms();
  const unread = useUnread();
  const visited = useVisitedRooms();
  const conversations = useConversations();
  const unreadPeers = useUnreadPeers();
  return useMemo(() => {
    const rank = new Map(visited.map((id, at) => [id, at]));
    const ofRooms = (rooms ?? []).map(({ id, name }) => ({
      path: `/r/${id}`,
      kind: "room" as const,
      name,
      unread: unread[id] ?? 0,
      visited: rank.get(id) ?? null,
    }));
    const ofPeople = (conversations ?? []).map(({ user }, at) => ({
      path: `/dm/${user.id}`,
      kind: "person" as const,
      name: user.username,
      unread: unreadPeers.has(user.id) ? 1 : 0,
      visited: at,
    }));
    return [...ofRooms, ...ofPeople];
  }, [rooms, unread, visited, conversations, unreadPeers]);
}

/** The place before or after the open one, in a circle; the first or last one if none of them is open. */
export function neighbour(places: readonly Place[], openPath: string, step: 1 | -1): Place | undefined {
  const at = places.findIndex(({ path }) => path === openPath);
  if (at < 0) return places.at(step > 0 ? 0 : -1);
  return places.at((at + step) % places.length);
}

/** The next place with unread messages, starting from the open one, in a circle. */
export function nextUnread(places: readonly Place[], openPath: string, step: 1 | -1): Place | undefined {
  const at = places.findIndex(({ path }) => path === openPath);
  const unread = places.filter(({ path, unread }) => unread > 0 && path !== openPath);
  const isAhead = ({ path }: Place) => {
    const there = places.findIndex((place) => place.path === path);
    return step > 0 ? there > at : there < at;
  };
  const ahead = at < 0 ? unread : unread.filter(isAhead);
  const [near, far] = step > 0 ? [ahead.at(0), unread.at(0)] : [ahead.at(-1), unread.at(-1)];
  return near ?? far;
}
