// The setting of where a room with unread messages opens. Kept in this browser.

import { useSyncExternalStore } from "react";
import { Observable } from "../../browser/observable";
import { browserStorage } from "../../browser/storage";

export type Opening = "unread" | "newest";

const KEY = "gapless.open-rooms";

export const opening = new Observable<Opening>(browserStorage.read(KEY) === "newest" ? "newest" : "unread");

export function chooseOpening(choice: Opening): void {
  browserStorage.write(KEY, choice);
  opening.set(choice);
}

export function useOpening(): Opening {
  return useSyncExternalStore(opening.subscribe, () => opening.current);
}
