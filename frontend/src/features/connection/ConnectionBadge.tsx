import { type ShownStatus, useConnection } from "./connection";

const SAYS: Record<ShownStatus, { text: string; look: string; dot: string }> = {
  connecting: { text: "Connecting", look: "text-muted bg-surface", dot: "bg-edge animate-pulse" },
  live: { text: "Live", look: "text-accent bg-accent-wash", dot: "bg-accent ripple" },
  "caught-up": { text: "Caught up", look: "text-accent bg-accent-wash", dot: "bg-accent" },
  reconnecting: {
    text: "Reconnecting",
    look: "text-waiting bg-waiting-wash",
    dot: "bg-waiting animate-pulse",
  },
  "held-back": { text: "Delayed", look: "text-waiting bg-waiting-wash", dot: "bg-waiting" },
  offline: { text: "Offline", look: "text-waiting bg-waiting-wash", dot: "border-2 border-waiting" },
};

/** The state of the connection in one word. */
export function ConnectionBadge() {
  const status = useConnection();
  const { text, look, dot } = SAYS[status];
  return (
    <span
      role="status"
      data-testid="connection"
      data-status={status}
      className={`inline-flex h-7 shrink-0 items-center gap-2 rounded-full px-2.5 text-xs font-semibold ${look}`}
    >
      <span className={`size-2 rounded-full ${dot}`} aria-hidden />
      {/* On a phone, what needs no attention is only a dot. */}
      <span className={status === "live" || status === "caught-up" ? "max-md:sr-only" : ""}>{text}</span>
    </span>
  );
}
