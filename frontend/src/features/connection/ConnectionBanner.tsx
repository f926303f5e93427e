import { CloudOff, RefreshCw } from "lucide-react";
import { useEffect, useState } from "react";
import { useConnection } from "./connection";

/** A hiccup shorter than this is not worth a sentence; the badge tells of it at once. */
const SPEAK_AFTER_MS = 2_500;

/** What being away means for the reader: nothing is lost. */
export function ConnectionBanner() {
  const status = useConnection();
  const isAway = status === "offline" || status === "reconnecting";
  const [isLong, setLong] = useState(false);

  useEffect(() => {
    if (!isAway) return setLong(false);
    const timer = setTimeout(() => setLong(true), status === "offline" ? 0 : SPEAK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [isAway, status]);

  if (!isAway || !isLong) return null;
  const Icon = status === "offline" ? CloudOff : RefreshCw;
  return (
    <div className="rise flex items-center justify-center gap-2.5 bg-waiting-wash px-4 py-2 text-center text-sm font-medium text-waiting">
      <Icon className="size-4 shrink-0" aria-hidden />
      <span>
        {status === "offline"
          ? "You are offline. What you write is kept here and sent when you are back."
          : "The server is away for a moment. Nothing is lost: reading goes on from where it stopped."}
      </span>
    </div>
  );
}
