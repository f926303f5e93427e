import { useSyncExternalStore } from "react";
import { useChat } from "../../realtime/store";
import { type SessionView, session } from "./session";

export function useSession(): SessionView {
  return useSyncExternalStore(session.subscribe, () => session.view);
}

/** Who is signed in, with role and mute as the stream last told them; null for a guest. */
export function useViewer() {
  return useChat((state) => state.viewer);
}
