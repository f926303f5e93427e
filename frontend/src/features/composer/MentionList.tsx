import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type RefObject, useEffect, useImperativeHandle, useRef, useState } from "react";
import { listPeople } from "../../api/gen/sdk.gen";
import type { Author } from "../../api/gen/types.gen";
import { answer } from "../../api/problem";
import { AdminMark } from "../../ui/AdminMark";
import { Avatar } from "../../ui/Avatar";
import { isComposing } from "../../ui/keys";

const FRESH_MS = 30_000;

/** Handles a key of the field; returns whether the list used it. */
export type KeyHandler = (event: KeyboardEvent) => boolean;

interface MentionListProps {
  id: string;
  roomId: string;
  query: string;
  keys: RefObject<KeyHandler | null>;
  onChoose(person: Author): void;
  /** Called for a name that is typed in full. */
  onTyped(person: Author): void;
  /** The id of the active option, for the field; null if the list is empty. */
  onActive(id: string | null): void;
  onClose(): void;
}

/** The people whom a text can mention, above its field, which keeps the focus. */
export function MentionList({ id, roomId, query, keys, ...on }: MentionListProps) {
  const { data } = useQuery({
    queryKey: ["people", roomId, query.toLowerCase()],
    queryFn: () => answer(listPeople({ path: { id: roomId }, query: query === "" ? {} : { query } })),
    placeholderData: keepPreviousData,
    staleTime: FRESH_MS,
    retry: false,
  });
  const begins = ({ username }: Author) => username.toLowerCase().startsWith(query.toLowerCase());
  const people = data?.people.filter(begins) ?? [];
  const [marked, setMarked] = useState({ query, at: 0 });
  const at = marked.query === query ? Math.min(marked.at, people.length - 1) : 0;
  const active = people[at];
  const list = useRef<HTMLDivElement>(null);
  const idOf = (person: Author) => `${id}-${person.id}`;

  const activeId = active ? idOf(active) : null;
  const { onActive, onTyped } = on;
  useEffect(() => {
    onActive(activeId);
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView?.({ block: "nearest" });
    return () => onActive(null);
  }, [activeId, onActive]);
  const typed = people.find(({ username }) => username.toLowerCase() === query.toLowerCase());
  useEffect(() => {
    if (typed) onTyped(typed);
  }, [typed, onTyped]);

  useImperativeHandle(keys, () => (event) => {
    const { key, altKey, ctrlKey, metaKey, shiftKey } = event;
    if (isComposing(event)) return false;
    if (!active || altKey || ctrlKey || metaKey || shiftKey) return false;
    const step = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
    if (step !== 0) setMarked({ query, at: (at + step + people.length) % people.length });
    else if (key === "Enter" || key === "Tab") on.onChoose(active);
    else if (key === "Escape") on.onClose();
    else return false;
    return true;
  });

  if (people.length === 0) return null;
  return (
    <div
      ref={list}
      id={id}
      role="listbox"
      aria-label="People to mention"
      className="rise absolute bottom-full left-0 z-20 mb-2 max-h-72 w-full max-w-80 overflow-y-auto rounded-xl border border-line bg-raised p-1.5 shadow-float"
    >
      {people.map((person, index) => (
        // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the active option
        <div
          key={person.id}
          id={idOf(person)}
          role="option"
          aria-selected={index === at}
          onPointerMove={() => setMarked({ query, at: index })}
          // Before a click, the field would lose the focus.
          onPointerDown={(event) => {
            event.preventDefault();
            on.onChoose(person);
          }}
          className="flex min-h-11 cursor-pointer items-center gap-2.5 rounded-lg px-2.5 aria-selected:bg-accent-wash aria-selected:outline-2 aria-selected:-outline-offset-2 aria-selected:outline-transparent md:min-h-9"
        >
          <Avatar name={person.username} size="small" />
          <span translate="no" className="truncate font-medium">
            {person.username}
          </span>
          {person.role === "admin" && <AdminMark />}
        </div>
      ))}
    </div>
  );
}
