import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { listHere } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { useChat } from "../../realtime/store";
import { noteAdmins } from "./admins";

/** Minimum time between two reads after changes of the online counts. */
const PACE_MS = 5_000;
/** Somebody may leave while somebody else comes, which changes no count. */
const RENEW_MS = 60_000;

/** The people in a room, read again when the number of them changes. */
export function useHere(roomId: string) {
  const online = useChat((state) => state.rooms?.[roomId]?.online);
  const client = useQueryClient();
  const readAt = useRef(0);
  const query = useQuery({
    queryKey: ["here", roomId],
    queryFn: async () => {
      readAt.current = Date.now();
      const here = await answer(listHere({ path: { id: roomId } }));
      const admins = here.users.filter(({ role }) => role === "admin");
      noteAdmins(
        here.users.map(({ id }) => id),
        admins.map(({ id }) => id),
      );
      return here;
    },
    refetchInterval: RENEW_MS,
    retry: 2,
  });

  // Every presence event has counts of its own, also if they are the same.
  const first = useRef(online);
  useEffect(() => {
    if (online === first.current) return;
    first.current = online;
    const wait = Math.max(0, readAt.current + PACE_MS - Date.now());
    const timer = setTimeout(() => void client.invalidateQueries({ queryKey: ["here", roomId] }), wait);
    return () => clearTimeout(timer);
  }, [online, roomId, client]);
  return query;
}
