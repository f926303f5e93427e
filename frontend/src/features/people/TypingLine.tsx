import { useSyncExternalStore } from "react";
import { useViewer } from "../session/use-session";
import { typing, typingSentence } from "./typing";

/**
 * Names those who are typing in a room, over the last lines above the composer, so that nothing moves. It comes and goes too often to
 * be announced.
 */
export function TypingLine({ roomId }: { roomId: string }) {
  const viewerId = useViewer()?.id;
  const typists = useSyncExternalStore(typing.subscribe, () => typing.in(roomId));
  const sentence = typingSentence(typists.filter(({ id }) => id !== viewerId));
  return (
    <div className="column relative h-0">
      {sentence && (
        <p
          dir="auto"
          className="foreign pointer-events-none absolute bottom-0.5 left-4 z-[5] max-w-[calc(100%-2rem)] truncate rounded-t-md bg-ground/95 px-2 text-xs leading-3.5 text-muted md:left-5"
        >
          {sentence}
        </p>
      )}
    </div>
  );
}
