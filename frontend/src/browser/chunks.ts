// Loads chunks of the app on demand. A chunk that fails to load is retried until it succeeds: the network may be down,
// or the server restarting. After a deployment the chunks of the previous release are gone for good.

import { Observable } from "./observable";
import { isNewerReleaseThere } from "./release";

/** True while a requested chunk has failed to load. */
export const isChunkMissing = new Observable(false);

/**
 * True if only a reload can load it: the server is reachable, but the browser does not send the request. Browsers cache
 * failed imports, Firefox those of the chunk itself, others those of its dependencies.
 */
export const isReloadNeeded = new Observable(false);

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
const missing = new Set<object>();

/** Imports a chunk with `load`, and retries until that succeeds. */
export async function loadChunk<T>(load: () => Promise<T>): Promise<T> {
  const request = {};
  try {
    for (let failures = 0; ; failures++) {
      try {
        return await load().catch((error) => loadAfresh<T>(error, failures));
      } catch (error) {
        if (!isFailureToLoad(error)) throw error;
        missing.add(request);
        isChunkMissing.set(true);
        const served = await servedRelease();
        if (served === "another") isNewerReleaseThere.set(true);
        if (served === "this" && failures >= 2) isReloadNeeded.set(true);
        await onlineOrAfter(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures));
      }
    }
  } finally {
    missing.delete(request);
    isChunkMissing.set(missing.size > 0);
    if (missing.size === 0) isReloadNeeded.set(false);
  }
}

/**
 * Firefox remembers that an address could not be imported and never requests it again, so a retry uses another address
 * of the same file. The error contains the first one.
 */
async function loadAfresh<T>(error: unknown, failures: number): Promise<T> {
  const address = error instanceof TypeError && /https?:\/\/[^\s?]+\.js/.exec(error.message)?.[0];
  if (failures === 0 || !address) throw error;
  return import(/* @vite-ignore */ `${address}?again=${failures}`);
}

/** Every browser throws a `TypeError` for a module that it cannot fetch; Vite has its own error for style sheets. */
function isFailureToLoad(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof Error && /preload/i.test(error.message));
}

/** Returns whether the server's page references the running script; null if that is unknown. */
async function servedRelease(): Promise<"this" | "another" | null> {
  const own = document.querySelector<HTMLScriptElement>('script[type="module"][src]')?.getAttribute("src");
  if (!own) return null;
  try {
    const response = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    const page = await response.text();
    if (!response.ok || !/<script[^>]+type="module"/.test(page)) return null;
    return page.includes(own) ? "this" : "another";
  } catch {
    return null;
  }
}

function onlineOrAfter(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
  });
}
