import { useEffect } from "react";
import { useMatch } from "react-router";

const KEY = "gapless.last-room";

export function lastRoom(): string | null {
  return localStorage.getItem(KEY);
}

/** Remembers the open room, so that coming back comes back to it. */
export function useRememberRoom(): void {
  const roomId = useMatch("/r/:roomId")?.params.roomId;
  useEffect(() => {
    if (roomId) localStorage.setItem(KEY, roomId);
  }, [roomId]);
}
