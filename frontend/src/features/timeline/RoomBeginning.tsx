import { Hash } from "lucide-react";
import type { Room } from "../../api/gen/types.gen";

/** Shown above the first message of a room, or alone in an empty room. */
export function RoomBeginning({ room, isEmpty }: { room: Room; isEmpty: boolean }) {
  return (
    <div className="px-5 pt-10 pb-4">
      <span className="mb-3 grid size-12 place-items-center rounded-2xl bg-accent-wash text-accent">
        <Hash className="size-6" aria-hidden />
      </span>
      <h2 className="text-2xl font-bold foreign">{room.name}</h2>
      <p className="mt-1 text-muted">
        {isEmpty ? "No messages yet. Be the first to write." : "This is the beginning of the room."}
      </p>
    </div>
  );
}
