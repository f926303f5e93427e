// The emoji that somebody reacts with most often in this browser.

import { browserStorage, readJson } from "../../browser/storage";

const KEY = "gapless.emoji";
const FIRST = ["👍", "❤️", "😂"];
/** Numbers are halved beyond this, so that habits can change. */
const MOST = 40;

function counts(): Record<string, number> {
  return readJson<Record<string, number>>(browserStorage.read(KEY)) ?? {};
}

/** The `count` most used emoji. */
export function oftenUsed(count = FIRST.length): string[] {
  const used = Object.entries(counts()).sort(([, a], [, b]) => b - a);
  return [...new Set([...used.map(([emoji]) => emoji), ...FIRST])].slice(0, count);
}

export function noteUse(emoji: string): void {
  const used = counts();
  const next = { ...used, [emoji]: (used[emoji] ?? 0) + 1 };
  const isFull = Object.values(next).some((count) => count > MOST);
  const kept = Object.entries(next).map(([name, count]) => [name, isFull ? count / 2 : count] as const);
  browserStorage.write(KEY, JSON.stringify(Object.fromEntries(kept)));
}
