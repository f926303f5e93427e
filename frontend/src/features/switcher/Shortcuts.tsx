import { lazy, Suspense, useEffect, useRef, useSyncExternalStore } from "react";
import { loadChunk } from "../../browser/chunks";
import { chat } from "../../realtime/store";
import { focusComposer, focusPage } from "../../ui/focus-net";
import { isApple } from "../../ui/platform";
import { useLocation, useNavigate } from "../../ui/router";
import { toggleHere } from "../people/panel";
import { useOpenRoomId } from "../rooms/use-rooms";
import { inRoom, useOpenSearch } from "../search/address";
import { openPanel } from "./panel";
import { neighbour, nextUnread, type Place, usePlaces } from "./places";

const loadSwitcher = () => loadChunk(() => import("./Switcher"));
const Switcher = lazy(() => loadSwitcher().then((module) => ({ default: module.Switcher })));
const KeySheet = lazy(() =>
  loadChunk(() => import("./KeySheet")).then((module) => ({ default: module.KeySheet })),
);

/** The keys that work on every page, and the panels that they open. Mounted once, by the shell. */
export function Shortcuts() {
  const panel = useSyncExternalStore(openPanel.subscribe, () => openPanel.current);
  const places = usePlaces();
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const isStep = useRef(false);
  const search = useSearch();
  const press = useRef((_: KeyboardEvent) => {});

  // Without a composer, which takes the focus, the page does, so that a screen reader reads on from there.
  // biome-ignore lint/correctness/useExhaustiveDependencies: after every step to another page
  useEffect(() => {
    if (!isStep.current) return;
    isStep.current = false;
    if (document.activeElement === document.body) focusPage();
  }, [pathname]);

  useEffect(() => {
    const step = (path: string) => {
      isStep.current = true;
      navigate(path);
    };
    press.current = (event) => onKey(event, places, placeOf(pathname), step, search);
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent) => press.current(event);
    document.addEventListener("keydown", listener);
    return () => document.removeEventListener("keydown", listener);
  }, []);

  if (panel === null) return null;
  const close = () => openPanel.set(null);
  return (
    <Suspense fallback={null}>
      {panel === "switcher" ? (
        <Switcher places={places} openPath={placeOf(pathname)} onClose={close} />
      ) : (
        <KeySheet onClose={close} />
      )}
    </Suspense>
  );
}

/** Opens the search in all rooms, or in the open one. */
function useSearch(): (scope: "all" | "room") => void {
  const open = useOpenSearch();
  const roomId = useOpenRoomId();
  return (scope) => {
    const room = scope === "room" && roomId ? chat.state.rooms?.[roomId] : undefined;
    open(room ? inRoom(room) : "");
  };
}

/** The path of the open place, also if the address names one of its messages. */
const placeOf = (path: string) => /^\/(?:r|dm)\/[^/]+/.exec(path)?.[0] ?? path;

function onKey(
  event: KeyboardEvent,
  places: readonly Place[],
  openPath: string,
  goTo: (path: string) => void,
  search: (scope: "all" | "room") => void,
): void {
  // 229: a key that belongs to an input method.
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
  const { key, altKey, shiftKey } = event;
  const hasMod = isApple() ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
  const isPlain = !event.ctrlKey && !event.metaKey && !altKey;
  const { target } = event;
  const isInDialog = document.querySelector("dialog[open]") !== null;

  // Somebody who presses it slowly finds the switcher loaded.
  if (key === "Control" || key === "Meta") return void loadSwitcher();
  if (hasMod && !altKey && !shiftKey && key.toLowerCase() === "k") {
    event.preventDefault();
    if (openPanel.current === "switcher") openPanel.set(null);
    else if (!isInDialog) openPanel.set("switcher");
    return;
  }
  if (isInDialog) return;
  // With Shift where "/" is the upper sign of another key.
  if ((hasMod && !altKey && key === "/") || (isPlain && key === "?" && !isField(target))) {
    event.preventDefault();
    openPanel.set("keys");
    return;
  }
  if (hasMod && shiftKey && !altKey && key.toLowerCase() === "f") {
    event.preventDefault();
    search("all");
    return;
  }
  if (hasMod && shiftKey && !altKey && key.toLowerCase() === "o" && openPath.startsWith("/r/")) {
    event.preventDefault();
    toggleHere();
    return;
  }
  if (hasMod && shiftKey && !altKey && key.toLowerCase() === "m") {
    event.preventDefault();
    goTo("/me/inbox");
    return;
  }
  if (isPlain && key === "/" && !isField(target) && !isInMenu(target)) {
    event.preventDefault();
    search("room");
    return;
  }
  const isArrow = key === "ArrowDown" || key === "ArrowUp";
  // In a list of choices, Alt with an arrow opens it.
  if (isArrow && altKey && !event.ctrlKey && !event.metaKey && !(target instanceof HTMLSelectElement)) {
    const step = key === "ArrowDown" ? 1 : -1;
    const rooms = places.filter(({ kind }) => kind === "room");
    const next = shiftKey ? nextUnread(places, openPath, step) : neighbour(rooms, openPath, step);
    event.preventDefault();
    if (next) goTo(next.path);
    return;
  }
  // The key itself follows the focus into the composer.
  if (isPlain && isLetter(key) && !isField(target) && !isInMenu(target)) focusComposer();
}

/** One visible character: not a space, which scrolls and presses buttons, nor a key with a name. */
const isLetter = (key: string) => [...key].length === 1 && key.trim() !== "";

const isField = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches("input, textarea, select, [role=textbox]"));

const isInMenu = (target: EventTarget | null) =>
  target instanceof Element && target.closest("[role=menu], [role=listbox]") !== null;
