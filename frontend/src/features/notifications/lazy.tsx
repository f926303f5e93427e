import { lazy, Suspense, useEffect, useState } from "react";
import { loadChunk } from "../../browser/chunks";
import { useChat } from "../../realtime/store";
import { matchPath, useLocation } from "../../ui/router";
import { watch } from "./attention";

/** Time after the list of rooms is there until notifications are loaded: first comes the page itself. */
const SETTLED_MS = 1_500;

const Notifications = lazy(() =>
  loadChunk(() => import("./Notifications")).then((module) => ({ default: module.Notifications })),
);

/** Mounted once, by the shell. `roomId`: of the open room. */
export function LazyNotifications({ roomId }: { roomId: string | undefined }) {
  const areRoomsThere = useChat((state) => state.rooms !== null);
  const [isSettled, setSettled] = useState(false);
  const peerId = matchPath("/dm/:userId", useLocation().pathname)?.userId;
  useEffect(() => watch(roomId ? `room:${roomId}` : peerId ? `direct:${peerId}` : null), [roomId, peerId]);
  useEffect(() => {
    if (!areRoomsThere) return;
    const timer = setTimeout(() => setSettled(true), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [areRoomsThere]);
  return isSettled ? (
    <Suspense fallback={null}>
      <Notifications />
    </Suspense>
  ) : null;
}
