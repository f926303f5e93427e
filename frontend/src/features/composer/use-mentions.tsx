import { lazy, type ReactNode, type RefObject, Suspense, useCallback, useId, useRef, useState } from "react";
import type { Author } from "../../api/gen/types.gen";
import { loadChunk } from "../../browser/chunks";
import { attach, readAttached } from "./attached";
import type { TextPlace } from "./drafts";
import type { KeyHandler } from "./MentionList";
import { insertAt } from "./MessageField";
import { type Begun, mentionAt } from "./mention-text";

const MentionList = lazy(() =>
  loadChunk(() => import("./MentionList")).then((module) => ({ default: module.MentionList })),
);

interface MentionsOptions {
  userId: string;
  place: TextPlace;
  /** Null where nobody can be mentioned. */
  roomId: string | null;
  field: RefObject<HTMLTextAreaElement | null>;
}

interface Mentions {
  /** The list of people, to be shown in a positioned element around the field. */
  list: ReactNode;
  /** Attributes of the field. */
  field: object;
  onKey: KeyHandler;
  /** To be called after typing. */
  look(): void;
}

/** Offers people while `@` and the beginning of a name are typed, and remembers who was chosen. */
export function useMentions({ userId, place, roomId, field }: MentionsOptions): Mentions {
  const [begun, setBegun] = useState<Begun | null>(null);
  /** The `@` for which the list was closed. */
  const [closedAt, setClosedAt] = useState<number | null>(null);
  const [activeId, setActiveId] = useState<string | null>(null);
  const keys = useRef<KeyHandler>(null);
  const id = useId();
  const isOpen = roomId !== null && begun !== null && begun.start !== closedAt;

  function look() {
    const area = field.current;
    const isCaret = area !== null && area.selectionStart === area.selectionEnd;
    const next =
      isCaret && document.activeElement === area ? mentionAt(area.value, area.selectionStart) : null;
    if (next?.start !== closedAt) setClosedAt(null);
    if (next?.start !== begun?.start || next?.query !== begun?.query) setBegun(next);
  }

  const remember = useCallback(
    ({ id, username }: Author) => {
      const { people = [] } = readAttached(userId, place);
      if (people.some((person) => person.id === id)) return;
      attach(userId, place, { people: [...people, { id, username }] });
    },
    [userId, place],
  );

  function choose(person: Author) {
    const area = field.current;
    if (!area || !begun) return;
    remember(person);
    const end = begun.start + 1 + begun.query.length;
    const space = /^\s/.test(area.value.slice(end)) ? "" : " ";
    insertAt(area, begun.start, end, `@${person.username}${space}`);
    setBegun(null);
  }

  return {
    look,
    onKey: (event) => isOpen && (keys.current?.(event) ?? false),
    field: {
      onSelect: look,
      onBlur: () => setBegun(null),
      ...(roomId !== null && { "aria-autocomplete": "list", "aria-haspopup": "listbox" }),
      ...(isOpen && activeId !== null && { "aria-controls": id, "aria-activedescendant": activeId }),
    },
    list: isOpen && (
      <Suspense fallback={null}>
        <MentionList
          id={id}
          roomId={roomId}
          query={begun.query}
          keys={keys}
          onChoose={choose}
          onTyped={remember}
          onActive={setActiveId}
          onClose={() => setClosedAt(begun.start)}
        />
      </Suspense>
    ),
  };
}
