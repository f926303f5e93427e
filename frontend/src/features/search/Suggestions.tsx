import { CornerDownLeft, History, ListFilter } from "lucide-react";
import type { Suggestion } from "./query";

interface SuggestionsProps {
  id: string;
  suggestions: readonly Suggestion[];
  at: number;
  onChoose(suggestion: Suggestion): void;
  /** Removes the recent searches. */
  onForget(): void;
}

/** Searches to continue with. The focus stays in the field. */
export function Suggestions({ id, suggestions, at, onChoose, onForget }: SuggestionsProps) {
  return (
    <>
      <div id={id} role="listbox" aria-label="Suggestions">
        {suggestions.map((suggestion, index) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the active option
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the field
          <div
            key={suggestion.label}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === at}
            onClick={() => onChoose(suggestion)}
            className="group flex min-h-11 cursor-pointer items-center gap-3 rounded-lg px-3 hover:bg-surface aria-selected:bg-accent-wash md:min-h-9.5"
          >
            {suggestion.isRecent ? (
              <History className="size-4.5 shrink-0 text-muted" aria-hidden />
            ) : (
              <ListFilter className="size-4.5 shrink-0 text-muted" aria-hidden />
            )}
            <span translate="no" className="min-w-0 truncate font-semibold">
              {suggestion.label}
            </span>{" "}
            <span className="min-w-0 flex-1 truncate text-muted">{suggestion.hint}</span>
            <CornerDownLeft
              className="hidden size-4 shrink-0 text-muted group-aria-selected:md:block"
              aria-hidden
            />
          </div>
        ))}
      </div>
      {suggestions.some(({ isRecent }) => isRecent) && (
        <button
          type="button"
          onClick={onForget}
          className="mx-3 mt-2 inline-flex min-h-11 items-center text-sm font-semibold text-muted hover:text-ink md:min-h-8"
        >
          Forget recent searches
        </button>
      )}
    </>
  );
}
