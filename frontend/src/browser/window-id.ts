// A name for this window that outlives its reloads, and that no other window has.

import { tabStorage } from "./storage";

const KEY = "gapless.window";

/**
 * Taken from the tab's storage and put back when the page goes: a duplicated tab gets a copy of the storage, and must not
 * find the name of a window that is still open there. After a crash the window has a new name.
 */
export const windowId: string = tabStorage.read(KEY) ?? Math.random().toString(36).slice(2);
tabStorage.remove(KEY);

window.addEventListener("pagehide", () => tabStorage.write(KEY, windowId));
// Back from the browser's cache: open again.
window.addEventListener("pageshow", ({ persisted }) => persisted && tabStorage.remove(KEY));
