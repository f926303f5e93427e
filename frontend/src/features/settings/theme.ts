// The theme: light, dark or the system's. `public/theme.js` applies the same choice before the first paint.

import { useSyncExternalStore } from "react";
import { Listeners } from "../../browser/listeners";
import { browserStorage } from "../../browser/storage";

export type Theme = "system" | "light" | "dark";

const KEY = "gapless.theme";
const listeners = new Listeners();

function readTheme(): Theme {
  const kept = browserStorage.read(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

function apply(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  listeners.notify();
}

export function chooseTheme(theme: Theme): void {
  if (theme === "system") browserStorage.remove(KEY);
  else browserStorage.write(KEY, theme);
  apply(theme);
}

/** Returns whether `theme` is dark on this screen. */
export function isDark(theme: Theme): boolean {
  if (theme !== "system") return theme === "dark";
  return window.matchMedia?.("(prefers-color-scheme: dark)").matches ?? false;
}

export function useTheme(): Theme {
  return useSyncExternalStore(listeners.subscribe, readTheme);
}

window.addEventListener("storage", ({ key }) => key === KEY && apply(readTheme()));
