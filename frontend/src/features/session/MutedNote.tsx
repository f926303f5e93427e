import { MessageCircleOff } from "lucide-react";
import { useEffect, useState } from "react";
import { periodOf, shortTime } from "../../ui/dates";
import { Foot } from "../../ui/Foot";

const TICK_MS = 15_000;

/** Milliseconds until `until`, kept up to date; 0 afterwards and without a mute. */
export function useMutedFor(until: string | null | undefined): number {
  const end = until ? Date.parse(until) : 0;
  const [now, setNow] = useState(Date.now);
  const leftMs = Math.max(0, end - Math.max(now, Date.now()));
  useEffect(() => {
    if (leftMs === 0) return;
    const timer = setTimeout(() => setNow(Date.now()), Math.min(leftMs, TICK_MS));
    return () => clearTimeout(timer);
  }, [leftMs]);
  return leftMs;
}

interface MutedNoteProps {
  until: string;
  leftMs: number;
  reason: string | null;
}

/** In place of the composer, while its author is muted. */
export function MutedNote({ until, leftMs, reason }: MutedNoteProps) {
  return (
    <Foot look="bg-waiting-wash text-sm font-medium text-waiting">
      <MessageCircleOff className="size-5 shrink-0" aria-hidden />
      {/* The time left changes all the time, and is not announced. */}
      <div className="min-w-0">
        <p role="status" className="foreign">
          <span>{`An admin has muted you until ${shortTime(until)}. You can keep reading.`}</span>
          {reason && <span className="block">{`Reason: “${reason}”`}</span>}
        </p>
        <p className="font-normal">{`${periodOf(leftMs)} left`}</p>
      </div>
    </Foot>
  );
}
