import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { listRooms } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer } from "../../api/problem";
import { withRooms } from "../../realtime/snapshots";
import { chat, useChat } from "../../realtime/store";
import { useReadingInterval } from "../connection/connection";

/** The stream reports messages only of the open room, so the `head_seq` of other rooms is polled. */
const HEADS_EVERY_MS = 15_000;

const byName = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

/** Keeps the list of active rooms up to date. Mounted once, by the shell. */
export function useRoomsSnapshot() {
  const coverage = useChat((state) => state.coverage.lobby);
  const interval = useReadingInterval();
  return useQuery({
    queryKey: ["rooms", coverage],
    queryFn: async () => {
      const version = chat.state.roomsVersion;
      const { rooms } = await answer(listRooms());
      chat.update((state) => withRooms(state, rooms, version));
      return rooms.length;
    },
    refetchInterval: interval || HEADS_EVERY_MS,
    refetchOnWindowFocus: "always",
  });
}

/** Active rooms by name; null until the first list is loaded. */
export function useRooms(): Room[] | null {
  const rooms = useChat((state) => state.rooms);
  return useMemo(() => rooms && Object.values(rooms).sort((a, b) => byName.compare(a.name, b.name)), [rooms]);
}

export function useRoom(roomId: string): Room | undefined {
  return useChat((state) => state.rooms?.[roomId]);
}
