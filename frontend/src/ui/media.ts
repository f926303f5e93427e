import { useSyncExternalStore } from "react";

/** From this width on, the sidebar is always visible. Tailwind's `md`. */
const WIDE = "(min-width: 48rem)";

export const useIsWide = (): boolean => useMedia(WIDE);

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = window.matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => window.matchMedia(query).matches,
  );
}

/** Returns whether typing works without an on-screen keyboard, which would cover half of the page. */
export function hasKeyboard(): boolean {
  return window.matchMedia?.("(hover: hover)").matches ?? true;
}

/** Returns whether the main pointer is a finger: then Enter is a key of the on-screen keyboard, without Shift+Enter. */
export function isTouch(): boolean {
  return window.matchMedia?.("(pointer: coarse)").matches ?? false;
}
