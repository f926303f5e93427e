import { Link as LinkIcon, MessagesSquare } from "lucide-react";
import { Button } from "../../ui/Button";

interface EmptyRoomProps {
  topic: string;
  onSuggest?(text: string): void;
  onCopyLink(): void;
}

/** First messages, by the text of their button. */
const SUGGESTIONS = [
  ["Say hello 👋", "Hello, everyone 👋"],
  ["Introduce yourself", "Hi, I am new here. "],
] as const;

/** A room without messages: its topic, a first sentence to send, and a link to share. */
export function EmptyRoom({ topic, onSuggest, onCopyLink }: EmptyRoomProps) {
  return (
    <div className="px-5 py-4 text-center">
      <span className="mx-auto mb-3 grid size-12 place-items-center rounded-2xl bg-accent-wash text-accent">
        <MessagesSquare className="size-6" aria-hidden />
      </span>
      <h2 className="text-xl font-bold">No messages yet</h2>
      <p className="foreign mx-auto mt-1 max-w-[60ch] text-muted">{topic || "Be the first to write."}</p>
      <div className="mt-4 flex flex-wrap justify-center gap-2">
        {onSuggest &&
          SUGGESTIONS.map(([label, text]) => (
            <Button key={label} look="quiet" onClick={() => onSuggest(text)}>
              {label}
            </Button>
          ))}
        <Button look="quiet" onClick={onCopyLink}>
          <LinkIcon className="size-4" aria-hidden />
          Copy a link to this room
        </Button>
      </div>
    </div>
  );
}
