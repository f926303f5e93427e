import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { KnownRoom } from "../../api/earlier-release";
import { showToast } from "../../ui/Toast";
import type { View } from "./reading";
import type { Window } from "./Timeline";
import type { RoomLogView } from "./use-room-log";
import type { Target } from "./use-target";

interface Position {
  /** The current read mark. */
  mark: number | null;
  beginsAtLine: boolean;
}

interface RoomWindow {
  window: Window;
  /** True after the reader marked messages as unread: they stay so until the room is left. */
  isPaused: RefObject<boolean>;
  /** Moves the line above new messages; null removes it. */
  move(line: number | null): void;
  /** Shows the message at `to`; then the reader can return to the one at `from`. */
  visit(to: number, from: number | null): void;
}

/** Moves the loaded part of a room to where the reader wants to be. `at` is the message in the address. */
export function useWindow(
  room: KnownRoom,
  log: RoomLogView,
  at: number | null,
  { mark, beginsAtLine }: Position,
): RoomWindow {
  const [target, setTarget] = useState<Target | null>(null);
  const [moved, setMoved] = useState<{ line: number | null } | null>(null);
  const [cameFrom, setCameFrom] = useState<number | null>(null);
  const isPaused = useRef(false);
  const { isLoaded, hasNewer, load, loadNewer, setAnchor, messages } = log;

  const show = useCallback(
    async (order: number, place: Target["place"]) => {
      if (await load(order)) setTarget({ order, place });
      else showToast({ text: "Could not load these messages. Try again.", key: "load" });
    },
    [load],
  );

  // The message in the address is shown when the room is opened, and whenever the address changes.
  const shown = useRef<number | null>(null);
  useEffect(() => {
    if (at === null) shown.current = null;
    if (at === null || !isLoaded || shown.current === at) return;
    shown.current = at;
    if (at <= room.head_seq) void show(at, "message");
    else showToast({ text: "There is no such message in this room", key: "link" });
  }, [at, isLoaded, room.head_seq, show]);

  const onEnd = useCallback(() => setCameFrom(null), []);
  const visit = useCallback(
    (to: number, from: number | null) => {
      setCameFrom(from);
      void show(to, "message");
    },
    [show],
  );

  const line = moved ? moved.line : mark;
  const first = messages[0]?.seq;
  const window = useMemo(
    (): Window => ({
      hasNewer,
      loadNewer,
      loadNewest: () => load(null),
      toBeginning: () => void show(1, "beginning"),
      toLine: () => void show(Math.max(1, (line ?? first ?? 1) + 1), "line"),
      onView: ({ top }: View) => setAnchor(top),
      ...(cameFrom !== null && { goBack: () => visit(cameFrom, null) }),
      onEnd,
      target,
      beginsAtLine,
      moved,
    }),
    [
      hasNewer,
      loadNewer,
      load,
      show,
      visit,
      cameFrom,
      onEnd,
      line,
      first,
      setAnchor,
      target,
      beginsAtLine,
      moved,
    ],
  );
  const move = useCallback((to: number | null) => setMoved({ line: to }), []);
  return { window, isPaused, move, visit };
}

/**
 * Calls `onEscape` for an Escape that nothing else needs: no dialog, menu, field or edit. Nothing else then uses it,
 * unless `onEscape` returns false.
 */
export function useEscape(isNeeded: boolean, onEscape: () => unknown): void {
  useEffect(() => {
    if (!isNeeded) return;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.shiftKey || event.defaultPrevented || event.isComposing) return;
      if (document.querySelector("dialog[open]") || event.keyCode === 229) return;
      if (onEscape() !== false) event.preventDefault();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [isNeeded, onEscape]);
}
