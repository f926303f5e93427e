import { useSyncExternalStore } from "react";
import { useChat } from "../../realtime/store";
import { type SessionView, session } from "./session";

export function useSession(): SessionView {
  return useSyncExternalStore(session.subscribe, () => session.view);
}

/** The signed-in user, with the latest role and mute from the stream; null for a guest. */
export function useViewer() {
  return useChat((state) => state.viewer);
}
