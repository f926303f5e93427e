import { useMemo } from "react";
import { useChat } from "../../realtime/store";
import { useViewer } from "../session/use-session";

/** The rooms and people that suggestions are made of: what this tab has loaded. */
export function useKnown() {
  const viewer = useViewer();
  const rooms = useChat((state) => state.rooms);
  const logs = useChat((state) => state.logs);
  return useMemo(() => {
    // Latest first: whoever wrote in the room that was opened last.
    const written = Object.values(logs)
      .reverse()
      .flatMap(({ messages }) => messages.map(({ author }) => author?.username ?? "").reverse());
    const people = [...new Set([...written, ...(viewer ? [viewer.username] : [])])].filter(Boolean);
    return { rooms: Object.values(rooms ?? {}), people };
  }, [rooms, logs, viewer]);
}
