// The rooms visited in this browser, most recent first.

import { useSyncExternalStore } from "react";
import { Listeners } from "../../browser/listeners";
import { browserStorage, readJson } from "../../browser/storage";
import { roomIdOf } from "../timeline/room-address";

const KEY = "gapless.visited";
/** Kept by earlier releases: the last room only. */
const LAST_KEY = "gapless.last-room";
/** Number of rooms that are kept up to date wherever they are in the list. */
const MOST_VISITED = 30;

const listeners = new Listeners();
let cache: { text: string | null; ids: readonly string[] } | null = null;

export function visitedRooms(): readonly string[] {
  const text = browserStorage.read(KEY);
  if (cache && cache.text === text) return cache.ids;
  const stored = readJson<unknown>(text) ?? [browserStorage.read(LAST_KEY)];
  const ids = Array.isArray(stored) ? stored.filter((id) => typeof id === "string") : [];
  cache = { text, ids };
  return ids;
}

export function noteVisit(part: string): void {
  const roomId = roomIdOf(part);
  const before = visitedRooms();
  if (before[0] === roomId) return;
  const ids = [roomId, ...before.filter((id) => id !== roomId)].slice(0, MOST_VISITED);
  browserStorage.write(KEY, JSON.stringify(ids));
  listeners.notify();
}

/** Forgets a room that no longer exists. */
export function forgetVisit(roomId: string): void {
  const before = visitedRooms();
  if (!before.includes(roomId)) return;
  browserStorage.write(KEY, JSON.stringify(before.filter((id) => id !== roomId)));
  listeners.notify();
}

export function useVisitedRooms(): readonly string[] {
  return useSyncExternalStore(listeners.subscribe, visitedRooms);
}
