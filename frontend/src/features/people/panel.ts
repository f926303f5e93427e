// True while the list of the people in the open room is shown.

import { Observable } from "../../browser/observable";

export const isHereOpen = new Observable(false);

let isOpening = false;

/** Opens or closes the list, at the reader's request. */
export function toggleHere(): void {
  isOpening = !isHereOpen.current;
  isHereOpen.set(isOpening);
}

/** Returns true once after the reader opened the list, which then takes the focus; not when they return to its room. */
export function takeOpening(): boolean {
  const was = isOpening;
  isOpening = false;
  return was;
}
