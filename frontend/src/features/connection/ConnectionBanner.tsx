import { CloudOff, Hourglass, type LucideIcon, RefreshCw } from "lucide-react";
import { useEffect, useState } from "react";
import { type ShownStatus, useConnection } from "./connection";

/** Shorter interruptions show only in the badge, not in the banner. */
const SPEAK_AFTER_MS = 2_500;

const SAYS: Partial<Record<ShownStatus, { icon: LucideIcon; text: string; afterMs: number }>> = {
  offline: {
    icon: CloudOff,
    text: "You are offline. What you write is saved here and sent when you are back online.",
    afterMs: 0,
  },
  reconnecting: {
    icon: RefreshCw,
    text: "The server is temporarily unavailable. Nothing is lost, and you will pick up where you left off.",
    afterMs: SPEAK_AFTER_MS,
  },
  "held-back": {
    icon: Hourglass,
    text: "A proxy is holding back live updates. Checking for new messages every few seconds instead.",
    afterMs: 0,
  },
};

/** Explains the state of a connection that is not live, and that nothing is lost. */
export function ConnectionBanner() {
  const status = useConnection();
  const says = SAYS[status];
  const [spoken, setSpoken] = useState<ShownStatus | null>(null);

  useEffect(() => {
    if (!says) return setSpoken(null);
    const timer = setTimeout(() => setSpoken(status), says.afterMs);
    return () => clearTimeout(timer);
  }, [says, status]);

  const shown = spoken && says ? (SAYS[spoken] ?? says) : null;
  if (!shown) return null;
  return (
    <div
      role="status"
      className="rise flex items-center justify-center gap-2.5 bg-waiting-wash px-4 py-2 text-center text-sm font-medium text-waiting"
    >
      <shown.icon className="size-4 shrink-0" aria-hidden />
      <span>{shown.text}</span>
    </div>
  );
}
