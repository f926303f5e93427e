import { useQuery } from "@tanstack/react-query";
import { Hash, type LucideIcon, Search } from "lucide-react";
import {
  type KeyboardEvent,
  type ReactNode,
  useDeferredValue,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
} from "react";
import { listUsers } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { Avatar } from "../../ui/Avatar";
import { isComposing } from "../../ui/keys";
import { useLocation, useNavigate } from "../../ui/router";
import { useModal } from "../../ui/use-modal";
import { useRoomSearch } from "../rooms/use-rooms";
import { useViewer } from "../session/use-session";
import { useTheme } from "../settings/theme";
import { commandsFor } from "./commands";
import { Keys } from "./Keys";
import type { Place } from "./places";
import { type Entry, found, type Group, offered } from "./ranking";

interface Choice extends Entry {
  icon?: LucideIcon;
  path?: string;
  /** State of the page at `path`. */
  state?: unknown;
  run?(): void;
}

/** People that a search by an admin adds. */
const MOST_PEOPLE = 6;

interface SwitcherProps {
  places: readonly Place[];
  /** The place that is open: it is found by name, but not offered. */
  openPath: string;
  onClose(): void;
}

/** Finds a room, a person or a command by a few letters. */
export function Switcher({ places, openPath, onClose }: SwitcherProps) {
  const dialog = useModal();
  const navigate = useNavigate();
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const listId = useId();
  const list = useRef<HTMLDivElement>(null);
  // Rooms beyond the loaded pages are added to the known ones.
  useRoomSearch(query);
  const choices = useChoices(places, query);
  const groups = useMemo(
    (): Group<Choice>[] =>
      query.trim() === ""
        ? offered(choices.filter(({ path }) => path !== openPath))
        : [{ title: "", entries: found(choices, query) }],
    [choices, query, openPath],
  );
  const flat = groups.flatMap(({ entries }) => entries);
  const active = flat[Math.min(at, flat.length - 1)];
  const idOf = (choice: Choice) => `${listId}-${flat.indexOf(choice)}`;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the marked entry stays in view
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView?.({ block: "nearest" });
  }, [active?.id]);

  function choose(choice: Choice, isNewTab: boolean) {
    if (isNewTab && choice.path) {
      window.open(choice.path, "_blank");
      return;
    }
    onClose();
    if (choice.path) navigate(choice.path, { state: choice.state });
    choice.run?.();
  }

  function onKeyDown(event: KeyboardEvent) {
    if (isComposing(event)) return;
    const last = flat.length - 1;
    const now = Math.min(at, last);
    const targets: Record<string, number> = {
      ArrowDown: now >= last ? 0 : now + 1,
      ArrowUp: now <= 0 ? last : now - 1,
    };
    const target = targets[event.key];
    if (target !== undefined && !event.altKey) setAt(target);
    else if (event.key === "Enter" && active) choose(active, event.ctrlKey || event.metaKey);
    else if (event.key !== "Enter") return;
    event.preventDefault();
  }

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a modal dialog by itself
    <dialog
      ref={dialog}
      aria-label="Jump to"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === event.currentTarget && onClose()}
      className="drop mx-auto mt-[12dvh] mb-auto w-[min(36rem,calc(100vw-1.5rem))] overflow-hidden rounded-2xl border border-line bg-raised p-0 text-ink shadow-float"
    >
      <div className="flex items-center gap-3 border-b border-line px-4">
        <Search className="size-5 shrink-0 text-muted" aria-hidden />
        <input
          type="text"
          role="combobox"
          aria-label="Jump to a room, a person or a command"
          aria-expanded={flat.length > 0}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={active && idOf(active)}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          enterKeyHint="go"
          placeholder="Jump to…"
          value={query}
          onChange={({ target }) => {
            setQuery(target.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
          className="min-h-13 min-w-0 flex-1 bg-transparent text-base outline-none"
        />
      </div>
      <div
        ref={list}
        id={listId}
        role="listbox"
        aria-label="Results"
        className="max-h-[min(26rem,60dvh)] overflow-y-auto p-2 empty:hidden"
      >
        {groups.map(({ title, entries }) =>
          entries.length === 0 ? null : (
            // biome-ignore lint/a11y/useSemanticElements: a fieldset is not allowed in a listbox
            <div key={title} role="group" aria-label={title || "Found"}>
              {title && (
                <div aria-hidden className="px-3 pt-2 pb-1 text-xs font-bold tracking-wide text-muted">
                  {title}
                </div>
              )}
              {entries.map((choice) => (
                <Option
                  key={choice.id}
                  id={idOf(choice)}
                  choice={choice}
                  isActive={choice === active}
                  onPoint={() => setAt(flat.indexOf(choice))}
                  onChoose={(isNewTab) => choose(choice, isNewTab)}
                />
              ))}
            </div>
          ),
        )}
      </div>
      <p role="status" className="px-5 py-6 text-center text-muted empty:hidden">
        {flat.length === 0 ? "Nothing found." : null}
      </p>
      <div aria-hidden className="hidden gap-4 border-t border-line px-5 py-2.5 text-xs text-muted md:flex">
        <Hint keys="↑+↓">choose</Hint>
        <Hint keys="Enter">open</Hint>
        <Hint keys="Mod+Enter">new tab</Hint>
        <Hint keys="Esc">close</Hint>
      </div>
    </dialog>
  );
}

interface OptionProps {
  id: string;
  choice: Choice;
  isActive: boolean;
  onPoint(): void;
  onChoose(isNewTab: boolean): void;
}

function Option({ id, choice, isActive, onPoint, onChoose }: OptionProps) {
  const Icon = choice.icon ?? Hash;
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the active option
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the field
    <div
      id={id}
      role="option"
      aria-selected={isActive}
      onPointerMove={onPoint}
      onClick={(event) => onChoose(event.ctrlKey || event.metaKey)}
      className="flex min-h-11 cursor-pointer items-center gap-3 rounded-lg px-3 aria-selected:bg-accent-wash aria-selected:outline-2 aria-selected:-outline-offset-2 aria-selected:outline-transparent md:min-h-9.5"
    >
      {choice.kind === "person" ? (
        <Avatar name={choice.label} size="small" />
      ) : (
        <span className="grid size-7 shrink-0 place-items-center text-muted">
          <Icon className="size-4.5" aria-hidden />
        </span>
      )}
      <span
        translate={choice.kind === "person" ? "no" : undefined}
        className={`min-w-0 flex-1 truncate ${choice.unread > 0 ? "font-semibold" : ""}`}
      >
        {choice.label}
      </span>
      {choice.unread > 0 && (
        <span className="shrink-0 text-xs font-semibold text-accent">{unreadText(choice)}</span>
      )}
    </div>
  );
}

const unreadText = ({ kind, unread }: Choice) =>
  kind === "person" ? "new" : `${unread > 99 ? "99+" : unread} unread`;

function Hint({ keys, children }: { keys: string; children: ReactNode }) {
  return (
    <span className="flex items-center gap-1.5">
      <Keys of={keys} />
      <span>{children}</span>
    </span>
  );
}

/** Rooms, conversations, the people that an admin searches for, and commands. */
function useChoices(places: readonly Place[], query: string): Choice[] {
  const viewer = useViewer();
  const theme = useTheme();
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const people = usePeople(viewer?.role === "admin", query.trim());
  return useMemo(() => {
    const known = places.map((place): Choice => ({ ...place, id: place.path, label: place.name }));
    const paths = new Set(known.map(({ id }) => id));
    const others = people
      .filter(({ id }) => id !== viewer?.id && !paths.has(`/dm/${id}`))
      .map(({ id, username }): Choice => {
        const path = `/dm/${id}`;
        return {
          id: path,
          kind: "person",
          label: username,
          path,
          state: { username },
          unread: 0,
          visited: null,
        };
      });
    const commands = commandsFor(viewer?.role ?? null, theme, navigate, pathname).map(
      (command): Choice => ({ ...command, id: command.label, kind: "command", unread: 0, visited: null }),
    );
    return [...known, ...others, ...commands];
  }, [places, people, viewer?.id, viewer?.role, theme, navigate, pathname]);
}

const NOBODY: readonly { id: string; username: string }[] = [];

/** People by name; the server answers admins only. */
function usePeople(isAdmin: boolean, typed: string): readonly { id: string; username: string }[] {
  const query = useDeferredValue(typed);
  const { data } = useQuery({
    queryKey: ["switcher", "people", query],
    queryFn: ({ signal }) => answer(listUsers({ query: { query, limit: MOST_PEOPLE }, signal })),
    enabled: isAdmin && query !== "",
    placeholderData: (before) => before,
  });
  return isAdmin && query !== "" ? (data?.users ?? NOBODY) : NOBODY;
}
