import { ArrowUp, X } from "lucide-react";
import { clockTime } from "../../ui/dates";

interface UnreadBarProps {
  unread: number;
  /** When the first unread message was written, if it is loaded. */
  since: string | null;
  onJump(): void;
  onRead(): void;
}

/** Below the header, while the first unread message is above the visible part. */
export function UnreadBar({ unread, since, onJump, onRead }: UnreadBarProps) {
  const count = unread >= 1_000 ? "More than 1,000" : unread.toLocaleString("en");
  return (
    <div
      role="status"
      className="rise absolute inset-x-0 top-0 z-10 flex items-stretch justify-center px-3 pt-2"
    >
      <div className="flex max-w-full items-center rounded-full bg-accent pl-1 text-sm font-semibold text-on-accent shadow-float">
        <button
          type="button"
          onClick={onJump}
          className="flex min-h-11 min-w-0 items-center gap-2 rounded-full px-3 hover:bg-accent-strong md:min-h-9"
        >
          <ArrowUp className="size-4 shrink-0" aria-hidden />
          <span className="truncate">{`${count} new${since === null ? "" : ` since ${clockTime(since)}`}`}</span>
          <span className="hidden shrink-0 md:inline">· Jump up</span>
        </button>
        <button
          type="button"
          onClick={onRead}
          className="flex min-h-11 shrink-0 items-center gap-1.5 rounded-full px-3 hover:bg-accent-strong md:min-h-9"
        >
          <span>Mark as read</span>
          <X className="size-4" aria-hidden />
        </button>
      </div>
    </div>
  );
}
