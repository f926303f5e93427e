// The browser's storage, which may be blocked, full or missing. Reads and writes never throw: a value that the browser
// refuses to store is kept in memory until the page is closed, and `storageTrouble` reports it.

import { Observable } from "./observable";

/** Reason why values are kept in memory only: the browser blocks storage, or its quota is exhausted. */
export type StorageTrouble = "blocked" | "full";

class SafeStorage {
  /** Values that the browser refused to store; null for a key that it refused to remove. */
  #inMemory = new Map<string, string | null>();
  trouble: StorageTrouble | null = null;

  /** `open` throws if storage is blocked, and returns null if there is none. */
  constructor(private readonly open: () => Storage | null) {}

  read(key: string): string | null {
    const inMemory = this.#inMemory.get(key);
    if (inMemory !== undefined) return inMemory;
    return this.#ask((storage) => storage.getItem(key)) ?? null;
  }

  write(key: string, text: string): void {
    if (this.#do((storage) => storage.setItem(key, text))) this.#isStored(key);
    else this.#inMemory.set(key, text);
  }

  remove(key: string): void {
    if (this.#do((storage) => storage.removeItem(key))) this.#isStored(key);
    else this.#inMemory.set(key, null);
  }

  keys(prefix: string): string[] {
    const stored = this.#ask((storage) => Array.from({ length: storage.length }, (_, at) => storage.key(at)));
    const found = new Set((stored ?? []).filter((key) => key !== null));
    for (const [key, text] of this.#inMemory) text === null ? found.delete(key) : found.add(key);
    return [...found].filter((key) => key.startsWith(prefix));
  }

  /** Called when another tab stored a newer value under this key, or cleared everything (null). */
  follow(key: string | null): void {
    if (key === null) this.#inMemory.clear();
    else this.#inMemory.delete(key);
  }

  /** The browser stores again: it gets the values that it refused before, as many as it takes. */
  #isStored(key: string): void {
    this.#inMemory.delete(key);
    for (const [other, text] of this.#inMemory) {
      const store = (storage: Storage) =>
        text === null ? storage.removeItem(other) : storage.setItem(other, text);
      if (!this.#do(store)) return;
      this.#inMemory.delete(other);
    }
    this.#report(null);
  }

  #do(change: (storage: Storage) => void): boolean {
    const done = this.#ask((storage) => {
      change(storage);
      return true;
    });
    return done ?? false;
  }

  #ask<T>(question: (storage: Storage) => T): T | undefined {
    try {
      const storage = this.open();
      if (storage) return question(storage);
      this.#report("blocked");
    } catch (error) {
      this.#report(isQuota(error) ? "full" : "blocked");
    }
    return undefined;
  }

  #report(trouble: StorageTrouble | null): void {
    this.trouble = trouble;
    storageTrouble.set(browserStorage.trouble ?? tabStorage.trouble);
  }
}

/** Shared by all tabs of this browser, and kept when they are closed. */
export const browserStorage = new SafeStorage(() => window.localStorage);
/** Specific to this tab, and kept across reloads. */
export const tabStorage = new SafeStorage(() => window.sessionStorage);

export function readJson<T>(text: string | null): T | null {
  try {
    return text === null ? null : (JSON.parse(text) as T);
  } catch {
    return null;
  }
}

/** Null while the browser stores all values. */
export const storageTrouble = new Observable<StorageTrouble | null>(null);

/** Firefox has its own name for an exceeded quota. */
function isQuota(error: unknown): boolean {
  return (
    error instanceof DOMException &&
    (error.name === "QuotaExceededError" || error.name === "NS_ERROR_DOM_QUOTA_REACHED")
  );
}

window.addEventListener("storage", ({ key, storageArea }) => {
  if (storageArea === null || isLocal(storageArea)) browserStorage.follow(key);
});

function isLocal(area: Storage): boolean {
  try {
    return area === window.localStorage;
  } catch {
    return false;
  }
}
