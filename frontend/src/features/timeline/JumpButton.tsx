import { ArrowDown } from "lucide-react";

interface JumpButtonProps {
  isShown: boolean;
  unseen: number;
  onJump(): void;
}

/** Jumps to the newest message, and shows and announces the number of new ones. */
export function JumpButton({ isShown, unseen, onJump }: JumpButtonProps) {
  const label = unseen === 0 ? "Jump to newest" : unseen === 1 ? "1 new message" : `${unseen} new messages`;
  const look =
    unseen > 0
      ? "bg-accent text-on-accent hover:bg-accent-strong"
      : "border border-line bg-raised text-ink hover:border-edge";
  return (
    <div
      aria-live="polite"
      className="pointer-events-none absolute inset-x-0 bottom-3 z-10 flex justify-center"
    >
      {isShown && (
        <button
          type="button"
          onClick={onJump}
          className={`rise pointer-events-auto flex min-h-11 items-center gap-2 rounded-full px-4 text-sm font-semibold shadow-float md:min-h-9 ${look}`}
        >
          <ArrowDown className="size-4" aria-hidden />
          <span>{label}</span>
        </button>
      )}
    </div>
  );
}
