// The signed-in user's choice of notifications in this browser, and what the browser allows.

import { useSyncExternalStore } from "react";
import { Listeners } from "../../browser/listeners";
import { browserStorage, readJson } from "../../browser/storage";
import { session } from "../session/session";

export interface Choice {
  isOn: boolean;
  /** Notifications have the text of messages, and the name of who wrote a private one. */
  preview: boolean;
}

/** "unsupported": the browser has no notifications, or only for an installed app. */
export type Permission = NotificationPermission | "unsupported";

interface Asked {
  times: number;
  at: number;
}

const MOST_TIMES = 2;
const ASK_AGAIN_MS = 14 * 86_400_000;
const ASKED_KEY = "gapless.notifications.asked";
const USUAL: Choice = { isOn: false, preview: true };

const listeners = new Listeners();
let cached: { key: string; text: string | null; choice: Choice } | null = null;

const keyOf = () => `gapless.notifications.${session.userId ?? "guest"}`;

export function permission(): Permission {
  const isSupported = "Notification" in window && "serviceWorker" in navigator;
  return isSupported ? Notification.permission : "unsupported";
}

/** The choice of the signed-in user; the same object while nothing changes. */
export function choice(): Choice {
  const key = keyOf();
  const text = session.userId === null ? null : browserStorage.read(key);
  if (cached?.key !== key || cached.text !== text)
    cached = { key, text, choice: { ...USUAL, ...readJson<Partial<Choice>>(text) } };
  return cached.choice;
}

export function choose(change: Partial<Choice>): void {
  browserStorage.write(keyOf(), JSON.stringify({ ...choice(), ...change }));
  listeners.notify();
}

/** True if this browser shows notifications to the signed-in user. */
export const isNotifying = (): boolean => choice().isOn && permission() === "granted";

/** Asks the browser, which may ask the user; must be called by a click. */
export async function turnOn(): Promise<Permission> {
  if (permission() === "unsupported") return "unsupported";
  const answer = await Notification.requestPermission();
  if (answer === "granted") choose({ isOn: true });
  listeners.notify();
  return answer;
}

/** Returns whether the card may ask: twice in all, two weeks apart, and only where it was not decided. */
export function mayAsk(now = Date.now()): boolean {
  if (session.userId === null || choice().isOn) return false;
  if (permission() === "unsupported" || permission() === "denied") return false;
  const { times = 0, at = 0 } = readJson<Partial<Asked>>(browserStorage.read(ASKED_KEY)) ?? {};
  return times < MOST_TIMES && now - at >= ASK_AGAIN_MS;
}

export function noteAsked(now = Date.now()): void {
  const { times = 0 } = readJson<Partial<Asked>>(browserStorage.read(ASKED_KEY)) ?? {};
  browserStorage.write(ASKED_KEY, JSON.stringify({ times: times + 1, at: now } satisfies Asked));
}

export function useChoice(): Choice {
  return useSyncExternalStore(subscribe, choice);
}

/** The permission may be changed in the browser's own settings. */
export function usePermission(): Permission {
  return useSyncExternalStore(subscribe, permission);
}

export function subscribe(listener: () => void): () => void {
  const stop = listeners.subscribe(listener);
  window.addEventListener("storage", listener);
  window.addEventListener("focus", listener);
  return () => {
    stop();
    window.removeEventListener("storage", listener);
    window.removeEventListener("focus", listener);
  };
}
