import type { KeyboardEvent } from "react";

/**
 * True for a key that belongs to an input method, such as the Enter that picks a Japanese candidate. Safari ends the
 * composition before it sends that key, so `isComposing` is already false there and only the key code, 229, identifies
 * it.
 */
export const isComposing = ({ nativeEvent, keyCode }: KeyboardEvent): boolean =>
  nativeEvent.isComposing || keyCode === 229;
