// Light, dark, or as the system says. `public/theme.js` applies the same choice before the first paint.

import { useSyncExternalStore } from "react";
import { browserStorage } from "../../browser/storage";

export type Theme = "system" | "light" | "dark";

const KEY = "gapless.theme";
const listeners = new Set<() => void>();

function readTheme(): Theme {
  const kept = browserStorage.read(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

function apply(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const listener of [...listeners]) listener();
}

export function chooseTheme(theme: Theme): void {
  if (theme === "system") browserStorage.remove(KEY);
  else browserStorage.write(KEY, theme);
  apply(theme);
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, readTheme);
}

window.addEventListener("storage", ({ key }) => key === KEY && apply(readTheme()));
