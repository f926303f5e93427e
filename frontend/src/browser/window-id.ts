// An id for this window that survives reloads and that no other window has.

import { tabStorage } from "./storage";

const KEY = "gapless.window";

/**
 * Taken from the tab's storage, and put back when the page is unloaded: a duplicated tab gets a copy of the storage,
 * and must not find the id of a window that is still open. After a crash the window has a new id.
 */
export const windowId: string = tabStorage.read(KEY) ?? Math.random().toString(36).slice(2);
tabStorage.remove(KEY);

window.addEventListener("pagehide", () => tabStorage.write(KEY, windowId));
// Restored from the back/forward cache: the window is open again.
window.addEventListener("pageshow", ({ persisted }) => persisted && tabStorage.remove(KEY));
