import { Search, X } from "lucide-react";
import type { KeyboardEvent, Ref } from "react";

interface SearchFieldProps {
  ref: Ref<HTMLInputElement>;
  value: string;
  listId: string;
  /** The chosen entry of the list below. */
  activeId: string | undefined;
  isExpanded: boolean;
  onType(text: string): void;
  onKeyDown(event: KeyboardEvent): void;
}

export function SearchField({
  ref,
  value,
  listId,
  activeId,
  isExpanded,
  onType,
  onKeyDown,
}: SearchFieldProps) {
  return (
    <div className="flex min-w-0 flex-1 items-center gap-2 rounded-xl border border-edge/60 bg-raised pl-3 focus-within:outline-2 focus-within:-outline-offset-1 focus-within:outline-accent">
      <Search className="size-4.5 shrink-0 text-muted" aria-hidden />
      <input
        ref={ref}
        data-search
        data-keeps-focus
        type="text"
        inputMode="search"
        enterKeyHint="search"
        role="combobox"
        aria-label="Search messages"
        aria-expanded={isExpanded}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-activedescendant={activeId}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        maxLength={200}
        placeholder="Search messages"
        value={value}
        onChange={({ target }) => onType(target.value)}
        onKeyDown={onKeyDown}
        className="min-h-11 min-w-0 flex-1 bg-transparent text-base outline-none md:min-h-10 md:text-[0.9375rem]"
      />
      {value !== "" && (
        <button
          type="button"
          aria-label="Clear the search"
          onClick={() => onType("")}
          className="grid size-11 shrink-0 place-items-center rounded-lg text-muted hover:text-ink md:size-9"
        >
          <X className="size-4" aria-hidden />
        </button>
      )}
    </div>
  );
}
