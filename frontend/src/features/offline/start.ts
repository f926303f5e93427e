// Prepares this browser for a start without a network; loaded when the page has settled.

import { shownMessages } from "../../realtime/state";
import { chat } from "../../realtime/store";
import { session } from "../session/session";
import { forgetRoom, keepRoom } from "./kept";

/** Interval at which changed rooms are kept. */
const KEEP_EVERY_MS = 10_000;

export function startOffline(): void {
  // Missing over plain HTTP, and in some private windows.
  if (!("serviceWorker" in navigator) || !("caches" in window)) return;
  navigator.serviceWorker.register("/sw.js").catch(() => {});
  const keeper = new Keeper();
  setInterval(() => void keeper.keep(), KEEP_EVERY_MS);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") void keeper.keep();
  });
  void keeper.keep();
}

export class Keeper {
  /** The logs that were kept, by room. */
  #kept = new Map<string, object>();
  #readerId = session.userId;

  /** Keeps the rooms of this tab that changed, and forgets those that were archived. */
  async keep(): Promise<void> {
    const { logs, rooms, archived, kept } = chat.state;
    // Messages that are shown without a network were kept earlier.
    if (kept !== null) return;
    if (this.#readerId !== session.userId) this.#kept.clear();
    this.#readerId = session.userId;
    try {
      for (const id of Object.keys(archived)) {
        if (this.#kept.delete(id)) await forgetRoom(id);
      }
      for (const [id, log] of Object.entries(logs)) {
        const room = rooms?.[id];
        const isCovered = (chat.state.coverage.rooms[id] ?? 0) > 0;
        if (!room || log.from === null || log.to !== null || !isCovered || this.#kept.get(id) === log)
          continue;
        this.#kept.set(id, log);
        await keepRoom(room, shownMessages(log));
      }
    } catch {
      // The browser's storage is full or blocked: there is nothing to read without a network then.
    }
  }
}
