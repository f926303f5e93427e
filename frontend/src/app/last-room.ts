import { useEffect } from "react";
import { useMatch } from "react-router";
import { browserStorage } from "../browser/storage";

const KEY = "gapless.last-room";

export function lastRoom(): string | null {
  return browserStorage.read(KEY);
}

/** Remembers the open room, to return to it on the next visit. */
export function useRememberRoom(): void {
  const roomId = useMatch("/r/:roomId")?.params.roomId;
  useEffect(() => {
    if (roomId) browserStorage.write(KEY, roomId);
  }, [roomId]);
}
