import { Reply, X } from "lucide-react";
import type { Quote } from "../../api/gen/types.gen";
import { useChat } from "../../realtime/store";
import { IconButton } from "../../ui/Button";
import { toNames } from "./mention-text";
import { quoteLine } from "./quote";

interface ReplyBarProps {
  roomId: string;
  /** The original as it was when the reply was begun. */
  quote: Quote;
  onCancel(): void;
}

/** Above the composer: the message that is being answered. */
export function ReplyBar({ roomId, quote, onCancel }: ReplyBarProps) {
  const original = useChat((state) => state.logs[roomId]?.messages.find(({ seq }) => seq === quote.seq));
  const line = quoteLine(
    original ? { ...quote, excerpt: original.body && toNames(original.body, original.mentions) } : quote,
  );
  return (
    <div role="note" className="flex min-w-0 items-center gap-2 pl-3 text-sm text-muted">
      <Reply className="size-4 shrink-0" aria-hidden />
      <p className="min-w-0 flex-1 truncate">
        <span>Replying to </span>
        <strong translate="no" className="font-semibold text-ink">
          {quote.author?.username ?? "a deleted message"}
        </strong>
        <span dir="auto">{line === null ? ": Original message was deleted" : `: ${line}`}</span>
      </p>
      <IconButton label="Cancel reply" onClick={onCancel}>
        <X className="size-4" aria-hidden />
      </IconButton>
    </div>
  );
}
