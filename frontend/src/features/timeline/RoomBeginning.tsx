import { Hash } from "lucide-react";
import { lazy, Suspense } from "react";
import type { Room } from "../../api/gen/types.gen";
import { loadChunk } from "../../browser/chunks";

const EmptyRoom = lazy(() =>
  loadChunk(() => import("./EmptyRoom")).then((module) => ({ default: module.EmptyRoom })),
);

interface RoomBeginningProps {
  room: Room;
  isEmpty: boolean;
  /** Puts a text into the message field; absent for those who cannot write here. */
  onSuggest?(text: string): void;
  onCopyLink(): void;
}

/** Shown above the first message of a room, or alone in an empty room. */
export function RoomBeginning({ room, isEmpty, ...rest }: RoomBeginningProps) {
  if (isEmpty) {
    return (
      <Suspense fallback={null}>
        <EmptyRoom topic={room.topic} {...rest} />
      </Suspense>
    );
  }
  return (
    <div className="px-5 pt-10 pb-4">
      <span className="mb-3 grid size-12 place-items-center rounded-2xl bg-accent-wash text-accent">
        <Hash className="size-6" aria-hidden />
      </span>
      <h2 className="text-2xl font-bold foreign">{room.name}</h2>
      <p className="mt-1 text-muted">This is the beginning of the room.</p>
    </div>
  );
}
