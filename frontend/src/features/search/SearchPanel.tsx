import { X } from "lucide-react";
import { type KeyboardEvent, type RefObject, useEffect, useId, useRef, useState } from "react";
import type { SearchResult } from "../../api/gen/types.gen";
import { IconButton } from "../../ui/Button";
import { isComposing } from "../../ui/keys";
import { hasKeyboard } from "../../ui/media";
import { useLocation, useNavigate } from "../../ui/router";
import { useViewer } from "../session/use-session";
import { messagePath } from "../timeline/room-address";
import { pathWithSearch } from "./address";
import { Outcome } from "./Outcome";
import { askable, isGuided, isTooShort, suggestionsFor } from "./query";
import { forgetSearches, recentSearches, rememberSearch } from "./recent";
import { SearchField } from "./SearchField";
import { Suggestions } from "./Suggestions";
import { useKnown } from "./use-known";
import { useSearch } from "./use-search";

/** Delay of a search after the last key. */
const TYPING_MS = 250;

interface SearchPanelProps {
  /** The search in the address. */
  text: string;
  /** True if the page is seen beside the panel; otherwise the panel covers it. */
  isBeside: boolean;
}

/** The place in the results of the last search, for whoever comes back to it from a message. */
let place = { asked: "", at: 0, top: 0 };

/** A search of all messages that the reader may read: suggestions while something is missing, then results. */
export function SearchPanel({ text, isBeside }: SearchPanelProps) {
  const viewerId = useViewer()?.id;
  const location = useLocation();
  const navigate = useNavigate();
  const [typed, setTyped] = useState(text);
  const asked = askable(text);
  const isReturn = asked !== null && place.asked === asked;
  const [at, setAt] = useState(() => (isReturn ? place.at : isGuided(text) ? -1 : 0));
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const listId = useId();
  const known = useKnown();
  const [recent, setRecent] = useState(() => recentSearches(viewerId));
  const suggestions = suggestionsFor(typed, { ...known, recent, now: new Date() });
  const isShort = asked !== null && isTooShort(asked);
  const found = useSearch(isShort ? null : asked, viewerId);
  const isTyping = askable(typed) !== asked;
  const isOffered = suggestions.length > 0;
  const results = isOffered || asked === null || isShort ? [] : found.results;
  const count = isOffered ? suggestions.length : results.length;
  // Nothing is chosen among suggestions for an empty field.
  const now = Math.min(at, count - 1);

  // Another search in the address, by a link or "back".
  const written = useRef(text);
  useEffect(() => {
    if (text === written.current) return;
    written.current = text;
    setTyped(text);
    setAt(isGuided(text) ? -1 : 0);
  }, [text]);

  const write = useRef((_: string) => {});
  useEffect(() => {
    write.current = (next) => {
      if (next === text) return;
      written.current = next;
      navigate(pathWithSearch(location, next), { replace: true });
    };
  });
  useEffect(() => {
    const timer = setTimeout(() => write.current(typed), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);

  useFocus(field, text);
  useEffect(() => {
    if (isReturn && list.current) list.current.scrollTop = place.top;
  }, [isReturn]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the chosen entry stays in view
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView?.({ block: "nearest" });
  }, [now]);

  function type(next: string) {
    setTyped(next);
    setAt(isGuided(next) ? -1 : 0);
    field.current?.focus();
  }

  function close() {
    navigate(pathWithSearch(location, null), { replace: true });
  }

  const pathOf = ({ room, message }: SearchResult) => {
    const path = messagePath(room, message.seq);
    return isBeside ? pathWithSearch({ pathname: path, search: "", hash: "" }, text) : path;
  };

  function leaveTo(result: SearchResult) {
    if (asked === null) return;
    place = { asked, at: results.indexOf(result), top: list.current?.scrollTop ?? 0 };
    setAt(place.at);
    rememberSearch(viewerId, asked);
    setRecent(recentSearches(viewerId));
  }

  function choose() {
    const suggestion = suggestions[now];
    const result = results[now];
    if (suggestion) type(suggestion.text);
    else if (isTyping) write.current(typed);
    else if (result && !found.isPlaceholderData) {
      leaveTo(result);
      navigate(pathOf(result));
    }
  }

  function onKeyDown(event: KeyboardEvent) {
    if (isComposing(event)) return;
    const targets: Record<string, number> = {
      ArrowDown: now >= count - 1 ? 0 : now + 1,
      ArrowUp: now <= 0 ? count - 1 : now - 1,
    };
    const target = targets[event.key];
    if (target !== undefined && !event.altKey && !event.shiftKey) setAt(target);
    else if (event.key === "Enter") choose();
    else if (event.key === "Escape" && !event.shiftKey) close();
    else return;
    event.preventDefault();
  }

  // A panel that covers the page takes its place for screen readers as well.
  const Frame = isBeside ? "search" : "main";
  const activeId = now >= 0 ? `${listId}-${now}` : undefined;
  return (
    <Frame
      aria-label="Search messages"
      className={`flex min-h-0 flex-col bg-ground ${isBeside ? "w-88 shrink-0 border-l border-line xl:w-96" : "absolute inset-0 z-20"}`}
    >
      {!isBeside && <h1 className="sr-only">Search messages</h1>}
      <div className="flex min-h-16 shrink-0 items-center gap-1 border-b border-line py-2 pr-2 pl-3">
        <SearchField
          ref={field}
          value={typed}
          listId={listId}
          activeId={activeId}
          isExpanded={count > 0}
          onType={type}
          onKeyDown={onKeyDown}
        />
        <IconButton label="Close search" onClick={close}>
          <X className="size-5" aria-hidden />
        </IconButton>
      </div>
      <div
        ref={list}
        className="min-h-0 flex-1 overflow-y-auto p-2 pb-[max(0.5rem,env(safe-area-inset-bottom))]"
      >
        {isOffered ? (
          <Suggestions
            id={listId}
            suggestions={suggestions}
            at={now}
            onChoose={({ text }) => type(text)}
            onForget={() => {
              forgetSearches(viewerId);
              setRecent([]);
              field.current?.focus();
            }}
          />
        ) : (
          <Outcome
            id={listId}
            asked={asked}
            isShort={isShort}
            isTyping={isTyping}
            found={found}
            results={results}
            at={now}
            pathOf={pathOf}
            onOpen={leaveTo}
            onType={type}
            rooms={known.rooms}
          />
        )}
      </div>
    </Frame>
  );
}

/** The field has the focus while the panel is open, also after Escape elsewhere; it returns when the panel is closed. */
function useFocus(field: RefObject<HTMLInputElement | null>, text: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when the panel is opened
  useEffect(() => {
    const before = document.activeElement;
    // On a touch screen the keyboard would cover the results.
    if (text === "" || hasKeyboard()) field.current?.focus();
    const onKeyDown = (event: globalThis.KeyboardEvent) => {
      if (event.key !== "Escape" || event.shiftKey || event.defaultPrevented || event.isComposing) return;
      if (document.querySelector("dialog[open]")) return;
      event.preventDefault();
      field.current?.focus();
    };
    // Handlers of React, which may need the key, are called before this one, and those of the document after it.
    document.body.addEventListener("keydown", onKeyDown);
    return () => {
      document.body.removeEventListener("keydown", onKeyDown);
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
}
