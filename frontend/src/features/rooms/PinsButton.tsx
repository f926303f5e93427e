import { Pin } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import type { Room } from "../../api/gen/types.gen";
import { loadChunk } from "../../browser/chunks";
import { IconButton } from "../../ui/Button";
import { usePinsSnapshot } from "../timeline/pinning";
import { usePins } from "../timeline/pins";

const loadPanel = () => loadChunk(() => import("../timeline/PinsPanel"));
const PinsPanel = lazy(() => loadPanel().then((module) => ({ default: module.PinsPanel })));

/** The number of pinned messages, if there are any; opens their list. */
export function PinsButton({ room }: { room: Room }) {
  usePinsSnapshot(room.id, room.is_archived);
  const { length } = usePins(room.id);
  const [isOpen, setOpen] = useState(false);
  // Loaded before it is needed: the list can be read without a network, too.
  const isNeeded = length > 0;
  useEffect(() => {
    if (isNeeded) void loadPanel().catch(() => {});
  }, [isNeeded]);
  return (
    <>
      {isNeeded && (
        <IconButton label={`Pinned messages: ${length}`} onClick={() => setOpen(true)}>
          <span className="flex items-center gap-0.5 text-sm font-semibold">
            <Pin className="size-4.5" aria-hidden />
            <span className="tabular-nums">{length}</span>
          </span>
        </IconButton>
      )}
      {isOpen && (
        <Suspense fallback={null}>
          <PinsPanel room={room} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
