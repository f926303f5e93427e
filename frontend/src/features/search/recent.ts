// Recent searches of each user in this browser, latest first.

import { browserStorage, readJson } from "../../browser/storage";
import { RECENT } from "./address";

const MOST = 5;

const keyOf = (userId: string | undefined) => RECENT + (userId ?? "");

export function recentSearches(userId: string | undefined): string[] {
  const stored = readJson<unknown>(browserStorage.read(keyOf(userId)));
  return Array.isArray(stored) ? stored.filter((text) => typeof text === "string").slice(0, MOST) : [];
}

export function rememberSearch(userId: string | undefined, text: string): void {
  const before = recentSearches(userId).filter((other) => other !== text);
  browserStorage.write(keyOf(userId), JSON.stringify([text, ...before].slice(0, MOST)));
}

export function forgetSearches(userId: string | undefined): void {
  browserStorage.remove(keyOf(userId));
}
