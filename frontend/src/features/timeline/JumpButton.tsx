import { ArrowDown, Undo2 } from "lucide-react";

interface JumpButtonProps {
  isShown: boolean;
  /** Messages that arrived while the reader was elsewhere in the room. */
  unseen: number;
  /** All unread messages of the room. */
  unread: number;
  onJump(): void;
  /** Set after the reader followed a quote. */
  onBack?: () => void;
}

const LOOK =
  "rise pointer-events-auto flex min-h-11 items-center gap-2 rounded-full px-4 text-sm font-semibold shadow-float md:min-h-9";
const PLAIN = "border border-line bg-raised text-ink hover:border-edge";

/** Jumps to the newest message, and shows and announces the number of new ones. */
export function JumpButton({ isShown, unseen, unread, onJump, onBack }: JumpButtonProps) {
  const label = labelOf(unseen, unread);
  const look = unseen > 0 || unread > 0 ? "bg-accent text-on-accent hover:bg-accent-strong" : PLAIN;
  return (
    <div
      aria-live="polite"
      className="pointer-events-none absolute inset-x-0 bottom-3 z-10 flex flex-wrap-reverse justify-center gap-2"
    >
      {isShown && onBack && (
        <button type="button" onClick={onBack} className={`${LOOK} ${PLAIN}`}>
          <Undo2 className="size-4" aria-hidden />
          <span>Back to where you were</span>
        </button>
      )}
      {isShown && (
        <button type="button" onClick={onJump} className={`${LOOK} ${look}`}>
          <ArrowDown className="size-4" aria-hidden />
          <span>{label}</span>
        </button>
      )}
    </div>
  );
}

function labelOf(unseen: number, unread: number): string {
  if (unread > unseen) return `Jump to newest (${unread >= 1_000 ? "1,000+" : unread})`;
  if (unseen === 0) return "Jump to newest";
  return unseen === 1 ? "1 new message" : `${unseen} new messages`;
}
