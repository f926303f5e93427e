// Keeps the keyboard focus in the page. When a focused element is removed, the browser moves the focus to the body, and
// keystrokes are lost; this moves it to the composer instead, to the next row of a list, or to the main region.

import { hasKeyboard } from "./media";

/** The focused element and its ancestors, each with its index among its siblings, from the inside out. */
type Trail = readonly { element: Element; index: number }[];

const FIELD = ":is(input, select, textarea):not(:disabled)";
const FOCUSABLE = ":is(a[href], button, input, select, textarea):not(:disabled)";

/** The field for the next message, if there is one. */
const composer = () => document.querySelector<HTMLElement>("main [data-composer]");

/** Call this after moving text into the composer at the reader's request. */
export function focusComposer(): void {
  composer()?.focus({ preventScroll: true });
}

/** Returns false while the reader is in a field that keeps the focus when another page is opened. */
export const mayTakeFocus = (): boolean => document.querySelector("[data-keeps-focus]:focus") === null;

/** Gives the focus to the main region. */
export function focusPage(): void {
  mainRegion()?.focus({ preventScroll: true });
}

/** Watches the whole page until the returned function is called. */
export function startFocusNet(): () => void {
  let current: HTMLElement | null = null;
  let trail: Trail = [];
  let hadModal = false;
  let frame = 0;

  const onFocusIn = ({ target }: FocusEvent) => {
    if (!(target instanceof HTMLElement) || target === document.body) return;
    current = target;
    // After a dialog, the focus continues from its previous place.
    if (!target.closest("dialog")) trail = trailOf(target);
  };
  const onFocusOut = () => {
    // After the event: an element that still exists lost the focus because the reader clicked elsewhere.
    queueMicrotask(() => {
      if (hasNoPlace() && current && isUsable(current)) current = null;
    });
  };
  const check = () => {
    const modal = document.querySelector<HTMLElement>("dialog[open]");
    const isClosed = hadModal && modal === null;
    hadModal = modal !== null;
    if (!hasNoPlace() || !(isClosed || (current && !isUsable(current)))) return;
    const next = modal ? firstIn(modal) : successor(trail);
    next?.focus({ preventScroll: next.tagName !== "A" && next.tagName !== "BUTTON" });
  };
  // An element that is hidden or disabled keeps the focus until the next frame.
  const observer = new MutationObserver(() => {
    check();
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(check);
  });

  document.addEventListener("focusin", onFocusIn);
  document.addEventListener("focusout", onFocusOut);
  observer.observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["disabled", "hidden", "open"],
  });
  return () => {
    document.removeEventListener("focusin", onFocusIn);
    document.removeEventListener("focusout", onFocusOut);
    observer.disconnect();
    cancelAnimationFrame(frame);
  };
}

const firstIn = (modal: HTMLElement) =>
  modal.querySelector<HTMLElement>(FIELD) ?? modal.querySelector<HTMLElement>(FOCUSABLE);

const hasNoPlace = () => document.activeElement === null || document.activeElement === document.body;

const isUsable = (element: HTMLElement) =>
  element.isConnected && !element.matches(":disabled") && (element.checkVisibility?.() ?? true);

function trailOf(target: Element): Trail {
  const trail = [];
  for (let element: Element | null = target; element; element = element.parentElement) {
    trail.push({ element, index: element.parentElement ? indexOf(element) : 0 });
  }
  return trail;
}

const indexOf = (element: Element) => [...(element.parentElement?.children ?? [])].indexOf(element);

function successor(trail: Trail): HTMLElement | null {
  // The row was scrolled out of the page; focus the log, so that the keys keep scrolling it.
  const left = trail.find(({ element }) => element.isConnected)?.element;
  const log = left?.closest<HTMLElement>("[role=log]");
  if (log && !left?.closest("article")) return log;
  // On a touch screen, focusing the composer would open the keyboard unexpectedly.
  const field = composer();
  if (field && hasKeyboard()) return field;
  return nextRow(trail) ?? mainRegion();
}

function mainRegion(): HTMLElement | null {
  const main = document.querySelector<HTMLElement>("main");
  if (main && !main.hasAttribute("tabindex")) main.tabIndex = -1;
  return main;
}

/** Returns a focusable element in the row that replaced the lost one, or in a later row, or in an earlier one. */
function nextRow(trail: Trail): HTMLElement | null {
  const at = trail.findIndex(({ element }) => element.isConnected);
  const list = trail[at]?.element.closest("ul, ol");
  if (!list) return null;
  const inList = trail.findIndex(({ element }) => element === list);
  const row = trail[inList - 1];
  if (!row) return null;
  const index = row.element.isConnected ? indexOf(row.element) : row.index;
  const rows = [...list.children];
  for (const candidate of [...rows.slice(index), ...rows.slice(0, index).reverse()]) {
    const place = candidate.querySelector<HTMLElement>(FOCUSABLE);
    if (place) return place;
  }
  return null;
}
