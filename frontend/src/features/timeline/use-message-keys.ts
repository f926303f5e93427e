// Messages by keyboard: one of them is chosen, has the focus, and is acted upon by single keys.

import {
  type FocusEvent,
  type KeyboardEvent,
  type RefObject,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { focusComposer } from "../../ui/focus-net";
import { isComposing } from "../../ui/keys";
import type { Entry } from "./entry";
import type { MessageActions } from "./MessageRow";
import type { Row } from "./rows";
import type { TimelineScroll } from "./use-scroll";

/** Keys that scroll up when pressed on the log itself. */
const LEAVING_KEYS = new Set(["ArrowUp", "PageUp", "Home"]);

const STEPS: Readonly<Record<string, 1 | -1>> = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 };

const THUMBS_UP = "👍";

/** Number of frames in which a chosen message may still come into view. */
const MOST_FRAMES = 30;

interface MessageKeysOptions {
  rows: readonly Row<Entry>[];
  entries: readonly Entry[];
  actions: MessageActions;
  scroll: TimelineScroll;
  hasOlder: boolean;
  hasNewer: boolean;
  /** Loads and shows the first message of the room; absent in a conversation. */
  toBeginning?(): void;
  /** Loads and shows the newest message. */
  toNewest(): void;
}

interface MessageKeys {
  /** Index of the chosen message's row, or -1. Tab leads to it, and it stays in the page. */
  chosenRow: number;
  onKeyDown(event: KeyboardEvent): void;
  onFocus(event: FocusEvent): void;
  onPointerDown(): void;
  /** From the composer to the messages, and back. */
  onEscape(): boolean;
  /** Marks the message at `target` and everything after it as unread; returns whether it could. */
  markUnread(target: EventTarget): boolean;
}

export function useMessageKeys(options: MessageKeysOptions): MessageKeys {
  const { rows, entries, actions, scroll, hasOlder, hasNewer, toBeginning, toNewest } = options;
  const [chosen, setChosen] = useState<string | null>(null);
  const chosenRow =
    chosen === null ? -1 : rows.findIndex(({ kind, key }) => kind === "message" && key === chosen);
  /** The message that gets the focus once it is in the page. */
  const wanted = useRef<string | null>(null);
  /** An end of the room whose message is chosen once it is loaded. */
  const awaited = useRef<"first" | "last" | null>(null);
  /** A click on a message does not choose it: letters typed then are the beginning of a text. */
  const isByPointer = useRef(false);

  useLayoutEffect(() => {
    if (awaited.current === "first" && !hasOlder) chooseEnd("first");
    if (awaited.current === "last" && !hasNewer) chooseEnd("last");
    if (wanted.current !== null) focusRow(scroll.container.current, wanted);
  });

  function choose(index: number) {
    const row = rows[index];
    if (row?.kind !== "message") return;
    isByPointer.current = false;
    wanted.current = row.key;
    setChosen(row.key);
    scroll.toRow(index, "edge");
    focusRow(scroll.container.current, wanted);
  }

  function chooseEnd(end: "first" | "last") {
    awaited.current = null;
    choose(end === "first" ? rows.findIndex(isMessage) : rows.findLastIndex(isMessage));
  }

  function toEndOfRoom(end: "first" | "last") {
    awaited.current = end;
    if (end === "first" && hasOlder && toBeginning) return toBeginning();
    if (end === "last") toNewest();
    if (end === "first" || !hasNewer) chooseEnd(end);
  }

  /** The next message in a direction; after the newest one comes the composer. */
  function step(from: number, by: 1 | -1) {
    let next = from + by;
    while (rows[next] && rows[next]?.kind !== "message") next += by;
    if (rows[next]) choose(next);
    else if (by === 1 && !hasNewer) focusComposer();
  }

  /** The message at `target`, unless it is being edited. */
  function entryAt(target: EventTarget): Entry | undefined {
    const id =
      target instanceof Element ? target.closest("[data-message]")?.getAttribute("data-message") : null;
    const entry = id ? entries.find(({ confirmed }) => confirmed?.id === id) : undefined;
    return entry && !actions.editor(entry) ? entry : undefined;
  }

  function markUnread(target: EventTarget): boolean {
    const entry = entryAt(target);
    if (entry) actions.markUnread?.(entry);
    return Boolean(entry && actions.markUnread);
  }

  /** Carries out the action of a key on the message that has the focus; returns whether it has one. */
  function act(key: string, target: EventTarget): boolean {
    if (key === "u") return markUnread(target);
    const entry = entryAt(target);
    if (!entry || entry.isDeleted) return false;
    const emoji = key === "+" ? THUMBS_UP : key === "=" ? entry.reactions[0]?.emoji : undefined;
    if (emoji) actions.react?.(entry, emoji);
    else if (key === "r") actions.reply?.(entry);
    else if (key === "Delete" && actions.canDelete(entry)) actions.remove(entry);
    else if (isByPointer.current) return key === "+" || key === "=";
    else if (key === "e" && actions.canEdit(entry)) actions.edit(entry);
    else if (key === "c") actions.copyLink?.(entry);
    else return "e+=".includes(key);
    return true;
  }

  function onRow(event: KeyboardEvent, row: HTMLElement): boolean {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const hasMod = event.ctrlKey || event.metaKey;
    if (hasMod && event.shiftKey && !event.altKey && key === "c") {
      const entry = entryAt(row);
      if (entry) actions.copyLink?.(entry);
      return entry !== undefined;
    }
    if (hasMod || event.altKey) return false;
    const by = STEPS[key];
    if (by && !(isByPointer.current && key.length === 1)) {
      step(
        rows.findIndex((other) => other.key === row.dataset.row),
        by,
      );
      return true;
    }
    if ((key === "Home" || key === "End") && !event.shiftKey) {
      toEndOfRoom(key === "Home" ? "first" : "last");
      return true;
    }
    if (key === "Enter") return event.target === row && openMenu(row);
    return act(key, row);
  }

  function onKeyDown(event: KeyboardEvent) {
    if (isComposing(event)) return;
    const { key, currentTarget } = event;
    const target = event.target as Element;
    const row = target.closest<HTMLElement>("[data-row]");
    if (row && !target.closest("input, textarea, select, [role=menu]")) {
      if (onRow(event, row)) event.preventDefault();
      return;
    }
    if (target !== currentTarget) return;
    if (LEAVING_KEYS.has(key)) scroll.onLeave();
    else scroll.onInput();
    if (toBeginning && key === "Home" && hasOlder && !event.shiftKey) {
      event.preventDefault();
      toBeginning();
    }
    if (toBeginning && key === "End" && hasNewer) {
      event.preventDefault();
      toNewest();
    }
  }

  /** The message that was chosen before, if it is in view, or the last one in view. */
  function firstChoice(): number {
    const { current: list } = scroll.list;
    if (!list) return -1;
    const bottom = list.findItemIndex(list.scrollOffset + list.viewportSize - 1);
    const top = list.findItemIndex(list.scrollOffset);
    if (chosenRow >= top && chosenRow <= bottom && chosenRow >= 0) return chosenRow;
    return rows.slice(0, bottom + 1).findLastIndex(isMessage);
  }

  return {
    chosenRow,
    onKeyDown,
    markUnread,
    onFocus: ({ target }) => {
      const key = (target as Element).closest<HTMLElement>("[data-row]")?.dataset.row;
      if (key === undefined || !(target as Element).matches(":focus-visible")) return;
      isByPointer.current = false;
      setChosen(key);
    },
    onPointerDown: () => {
      isByPointer.current = true;
      awaited.current = null;
      wanted.current = null;
    },
    onEscape: () => {
      const { activeElement } = document;
      if (activeElement?.closest("[data-row]") && scroll.container.current?.contains(activeElement)) {
        focusComposer();
        return document.activeElement !== activeElement;
      }
      const first = activeElement?.matches("[data-composer]") ? firstChoice() : -1;
      if (first >= 0) choose(first);
      return first >= 0;
    },
  };
}

const isMessage = ({ kind }: Row<Entry>) => kind === "message";

const rowOf = (log: HTMLElement | null, key: string) =>
  [...(log?.querySelectorAll<HTMLElement>("[data-row]") ?? [])].find(({ dataset }) => dataset.row === key);

/** Gives the focus to the wanted row once it is in the page and visible: the list hides rows until it has measured them. */
function focusRow(log: HTMLElement | null, wanted: RefObject<string | null>, frames = MOST_FRAMES): void {
  if (wanted.current === null) return;
  const row = rowOf(log, wanted.current);
  row?.focus({ preventScroll: true });
  if (row && document.activeElement === row) wanted.current = null;
  else if (frames > 0) requestAnimationFrame(() => focusRow(log, wanted, frames - 1));
  else wanted.current = null;
}

/** Opens the menu of a message; returns whether it has one. */
function openMenu(row: HTMLElement): boolean {
  const button = row.querySelector<HTMLElement>("[aria-haspopup=menu]");
  button?.click();
  return button !== null;
}
