import { type KeyboardEvent, useRef, useState } from "react";
import { isComposing } from "../../ui/keys";
import { useIsWide } from "../../ui/media";
import { useModal } from "../../ui/use-modal";
import { type Emoji, findEmoji } from "./emoji-list";
import { oftenUsed } from "./often-used";

interface ReactionPickerProps {
  /** The place beside which it opens; a phone shows it at the lower edge. */
  anchor: DOMRect;
  onPick(emoji: string): void;
  onClose(): void;
}

const COLUMNS = 8;
const WIDTH_PX = 344;
const HEIGHT_PX = 380;
const GAP_PX = 6;

/** Chooses an emoji to react with: those used most often, a search by name, and all of them. */
export function ReactionPicker({ anchor, onPick, onClose }: ReactionPickerProps) {
  const dialog = useModal();
  const isWide = useIsWide();
  const [query, setQuery] = useState("");
  const [often] = useState(() => oftenUsed(COLUMNS));
  const found = findEmoji(query);
  const isOften = ({ emoji }: Emoji) => often.includes(emoji);
  const shown = query.trim() === "" ? [...named(often), ...found.filter((one) => !isOften(one))] : found;

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a modal dialog by itself
    <dialog
      ref={dialog}
      aria-label="Choose a reaction"
      onClick={(event) => event.target === event.currentTarget && onClose()}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      style={isWide ? placeOf(anchor) : undefined}
      className="rise m-0 mt-auto flex w-full max-w-none flex-col rounded-t-2xl border border-line bg-raised p-0 text-ink shadow-float md:fixed md:mt-0 md:rounded-2xl md:backdrop:bg-transparent"
    >
      <div className="flex min-h-0 flex-1 flex-col p-2 pb-[max(0.5rem,env(safe-area-inset-bottom))]">
        <Choices emoji={shown} query={query} onQuery={setQuery} onPick={onPick} />
      </div>
    </dialog>
  );
}

interface ChoicesProps {
  emoji: readonly Emoji[];
  query: string;
  onQuery(query: string): void;
  onPick(emoji: string): void;
}

function Choices({ emoji, query, onQuery, onPick }: ChoicesProps) {
  const grid = useRef<HTMLFieldSetElement>(null);
  const [at, setAt] = useState(0);
  const current = Math.min(at, emoji.length - 1);

  function goTo(index: number) {
    const to = Math.max(0, Math.min(emoji.length - 1, index));
    setAt(to);
    grid.current?.querySelectorAll("button")[to]?.focus();
  }

  function onFieldKey(event: KeyboardEvent) {
    if (isComposing(event)) return;
    const [first] = emoji;
    if (event.key === "Enter" && first) onPick(first.emoji);
    else if (event.key === "ArrowDown") goTo(0);
    else return;
    event.preventDefault();
  }

  function onGridKey(event: KeyboardEvent) {
    const steps: Record<string, number> = {
      ArrowRight: current + 1,
      ArrowLeft: current - 1,
      ArrowDown: current + COLUMNS,
      ArrowUp: current - COLUMNS,
      Home: 0,
      End: emoji.length - 1,
    };
    const to = steps[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (event.key === "ArrowUp" && to < 0) event.currentTarget.parentElement?.querySelector("input")?.focus();
    else goTo(to);
  }

  return (
    <>
      <input
        type="search"
        value={query}
        onChange={(event) => {
          onQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={onFieldKey}
        aria-label="Search emoji"
        placeholder="Search emoji"
        // biome-ignore lint/a11y/noAutofocus: the first field of a dialog
        autoFocus
        className="min-h-11 rounded-xl border border-edge bg-raised px-3 text-base md:min-h-9 md:text-[0.9375rem]"
      />
      <fieldset
        ref={grid}
        aria-label="Emoji"
        onKeyDown={onGridKey}
        className="mt-2 grid h-72 min-h-0 grid-cols-8 content-start overflow-y-auto overscroll-contain md:h-auto md:flex-1"
      >
        {emoji.map(({ emoji: choice, name }, index) => (
          <button
            key={choice}
            type="button"
            tabIndex={index === current ? 0 : -1}
            aria-label={name}
            title={name}
            onFocus={() => setAt(index)}
            onClick={() => onPick(choice)}
            className="grid h-11 place-items-center rounded-lg text-2xl hover:bg-surface focus-visible:outline-offset-[-2px] md:h-10 md:text-xl"
          >
            {choice}
          </button>
        ))}
      </fieldset>
      <p role="status" className="px-2 text-sm text-muted">
        {emoji.length === 0 ? "No emoji found" : ""}
      </p>
    </>
  );
}

/** Those that are not in the list were picked in another release. */
function named(often: readonly string[]): Emoji[] {
  const all = findEmoji("");
  return often.map(
    (emoji) => all.find((known) => known.emoji === emoji) ?? { emoji, name: emoji, words: "" },
  );
}

/** Below the place, or above it where there is more room. */
function placeOf(anchor: DOMRect) {
  const left = Math.max(GAP_PX, Math.min(anchor.right, window.innerWidth - GAP_PX) - WIDTH_PX);
  const below = anchor.bottom + GAP_PX;
  const isBelow = below + HEIGHT_PX <= window.innerHeight;
  const top = isBelow ? below : Math.max(GAP_PX, anchor.top - GAP_PX - HEIGHT_PX);
  return { left, top, width: WIDTH_PX, height: HEIGHT_PX };
}
