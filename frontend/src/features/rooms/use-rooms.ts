// The rooms that are known: the list is loaded by page as it is scrolled; visited rooms and the open one are loaded by
// their ids if they are not on a page yet.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import type { KnownRoom, RoomPage } from "../../api/earlier-release";
import { getRoom, listRooms as readRooms } from "../../api/gen/sdk.gen";
import type { ListRoomsData } from "../../api/gen/types.gen";
import { answer, ProblemError } from "../../api/problem";
import { withMoreRooms, withRoom, withRooms } from "../../realtime/snapshots";
import { chat, useChat } from "../../realtime/store";
import { matchPath, useLocation } from "../../ui/router";
import { useReadingInterval } from "../connection/connection";
import { roomIdOf } from "../timeline/room-address";
import { takeOverMarks } from "../unread/room-marks";
import { forgetVisit, useVisitedRooms } from "./visited";

/** A server of an earlier release reports messages of the open room only, so `head_seq` of the others is polled. */
const HEADS_EVERY_MS = 15_000;
const PAGE = 200;
/** Results of a search. */
const MOST_FOUND = 50;
/** Delay of a search after the last key. */
const TYPING_MS = 150;

const byName = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

export function listRooms(query: ListRoomsData["query"] = {}): Promise<RoomPage> {
  return answer(readRooms({ query }));
}

/** Keeps the known rooms up to date. Mounted once, by the shell. */
export function useRoomsSnapshot() {
  const coverage = useChat((state) => state.coverage.lobby);
  const viewerId = useChat((state) => state.viewer?.id);
  const arePaged = useChat((state) => state.areRoomsPaged);
  const interval = useReadingInterval();
  return useQuery({
    queryKey: ["rooms", coverage, viewerId],
    queryFn: async () => {
      const version = chat.state.roomsVersion;
      const page = await listRooms();
      chat.update((state) => withRooms(state, page, version));
      // Before anything shows the marks that the server begins with.
      takeOverMarks();
      return page.rooms.length;
    },
    refetchInterval: interval || (arePaged ? false : HEADS_EVERY_MS),
    refetchOnWindowFocus: "always",
  });
}

let isLoadingMore = false;

/** Loads the next page of the list, if there is one. */
export async function loadMoreRooms(): Promise<void> {
  const { roomsNext, roomsVersion } = chat.state;
  if (roomsNext === null || isLoadingMore) return;
  isLoadingMore = true;
  try {
    const page = await listRooms({ after: roomsNext, limit: PAGE });
    chat.update((state) =>
      state.roomsNext === roomsNext ? withMoreRooms(state, page, roomsVersion) : state,
    );
  } catch {
    // Scrolling on retries.
  } finally {
    isLoadingMore = false;
  }
}

async function loadRoom(roomId: string): Promise<KnownRoom> {
  const version = chat.state.roomsVersion;
  const room: KnownRoom = await answer(getRoom({ path: { id: roomId } }));
  chat.update((state) => withRoom(state, room, version));
  return room;
}

/** Loads a room by its id; null if there is none, or none that the viewer may read. */
async function findRoom(roomId: string): Promise<KnownRoom | null> {
  try {
    return await loadRoom(roomId);
  } catch (error) {
    const isMissing = error instanceof ProblemError && (error.status === 404 || error.status === 400);
    if (!isMissing) throw error;
    forgetVisit(roomId);
    return null;
  }
}

/** Loads visited rooms that are beyond the loaded pages. Mounted once, by the shell. */
export function useVisitedSnapshot(): void {
  const visited = useVisitedRooms();
  const coverage = useChat((state) => state.coverage.lobby);
  const viewerId = useChat((state) => state.viewer?.id);
  const areMoreThere = useChat((state) => state.roomsNext !== null);
  useQuery({
    queryKey: ["rooms", "visited", coverage, viewerId, areMoreThere],
    queryFn: async () => {
      const beyond = visited.filter((id) => !chat.state.rooms?.[id]);
      return Promise.allSettled(beyond.map(findRoom));
    },
    enabled: areMoreThere,
  });
}

/** The id of the room in the address, if there is one. */
export function useOpenRoomId(): string | undefined {
  const part = matchPath("/r/:roomId/:seq?", useLocation().pathname)?.roomId;
  return part && roomIdOf(part);
}

export function useRoom(roomId: string): KnownRoom | undefined {
  return useChat((state) => state.rooms?.[roomId]);
}

/** An open room: loaded by its id if the list does not have it. */
export function useOpenRoom(roomId: string) {
  const room = useRoom(roomId);
  const areLoaded = useChat((state) => state.rooms !== null);
  const areAllLoaded = useChat(
    (state) => state.rooms !== null && state.roomsNext === null && state.kept === null,
  );
  const isArchived = useChat((state) => state.archived[roomId] !== undefined);
  const isAdmin = useChat((state) => state.viewer?.role === "admin");
  const coverage = useChat((state) => state.coverage.lobby);
  const viewerId = useChat((state) => state.viewer?.id);
  const isNeeded = areLoaded && !room && !isArchived && (!areAllLoaded || isAdmin);
  const { isFetched, error, refetch } = useQuery({
    queryKey: ["room", roomId, coverage, viewerId],
    queryFn: () => findRoom(roomId),
    enabled: isNeeded,
  });
  return { room, isLoading: !areLoaded || (isNeeded && !isFetched), error, retry: () => void refetch() };
}

let order: readonly string[] = [];
let orderedNames = new Map<string, string>();
let orderedFor: object | null = null;

/** Sorts again only rooms that are new or renamed: a list of thousands changes with every message. */
function roomOrder(rooms: Readonly<Record<string, KnownRoom>>): readonly string[] {
  if (orderedFor === rooms) return order;
  orderedFor = rooms;
  const isKept = (id: string) => rooms[id] !== undefined && rooms[id].name === orderedNames.get(id);
  const all = Object.keys(rooms);
  const isSame = all.length === order.length && all.every(isKept);
  if (isSame) return order;
  const kept = order.filter(isKept);
  const known = new Set(kept);
  const name = (id: string) => rooms[id]?.name ?? "";
  order = [...kept, ...all.filter((id) => !known.has(id))].sort((a, b) => byName.compare(name(a), name(b)));
  orderedNames = new Map(order.map((id) => [id, name(id)]));
  return order;
}

/** Ids of the known rooms by name; null until the first page is loaded. The same array while no name changes. */
export function useRoomOrder(): readonly string[] | null {
  return useChat((state) => state.rooms && roomOrder(state.rooms));
}

/** Known rooms by name; null until the first page is loaded. */
export function useRooms(): KnownRoom[] | null {
  const rooms = useChat((state) => state.rooms);
  return useMemo(() => rooms && roomOrder(rooms).flatMap((id) => rooms[id] ?? []), [rooms]);
}

/** Ids of rooms whose name contains `text`, searched by the server unless all rooms are loaded; null while loading. */
export function useRoomSearch(text: string): readonly string[] | null {
  const wanted = text.trim().toLocaleLowerCase();
  const ids = useRoomOrder();
  const areMoreThere = useChat((state) => state.roomsNext !== null);
  const asked = useDelayed(wanted, TYPING_MS);
  const { data } = useQuery({
    queryKey: ["rooms", "search", asked],
    queryFn: async () => {
      const version = chat.state.roomsVersion;
      const { rooms } = await listRooms({ query: asked, limit: MOST_FOUND });
      chat.update((state) => withMoreRooms(state, { rooms }, version));
      return rooms.map(({ id }) => id);
    },
    enabled: areMoreThere && asked !== "",
    placeholderData: keepPreviousData,
  });
  return useMemo(() => {
    if (wanted === "" || ids === null) return ids;
    const rooms = chat.state.rooms ?? {};
    const isFound = (id: string) => rooms[id]?.name.toLocaleLowerCase().includes(wanted) ?? false;
    const here = ids.filter(isFound);
    if (!areMoreThere) return here;
    return data ? [...new Set([...here, ...data.filter(isFound)])] : here.length > 0 ? here : null;
  }, [wanted, ids, areMoreThere, data]);
}

function useDelayed(value: string, ms: number): string {
  const [delayed, setDelayed] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setDelayed(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return delayed;
}
