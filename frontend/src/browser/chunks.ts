// Parts of the page that are loaded when they are first needed. One that cannot be loaded now is asked for until it comes:
// the network may be away, or the server restarting. After a deployment the parts of the release before are gone for good.

import { Observable } from "./observable";
import { isNewerReleaseThere } from "./release";

/** Whether a part that was asked for could not be loaded so far. */
export const isChunkMissing = new Observable(false);

/**
 * Whether only a reload will get it: the server answers, and the browser does not ask. Browsers remember imports that
 * failed, Firefox of the chunk itself, others of what it imports in turn.
 */
export const isReloadNeeded = new Observable(false);

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
const missing = new Set<object>();

/** `load` imports a chunk. Answers once that succeeded, however often it has to be tried. */
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
 * Firefox remembers that an address could not be imported and never asks for it again, so a repetition goes to another
 * address of the same file. The error names the first one.
 */
async function loadAfresh<T>(error: unknown, failures: number): Promise<T> {
  const address = error instanceof TypeError && /https?:\/\/[^\s?]+\.js/.exec(error.message)?.[0];
  if (failures === 0 || !address) throw error;
  return import(/* @vite-ignore */ `${address}?again=${failures}`);
}

/** Every browser throws a `TypeError` for a module it cannot fetch; Vite has an error of its own for style sheets. */
function isFailureToLoad(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof Error && /preload/i.test(error.message));
}

/** Whether the server's page names the script that runs here; null if it cannot be told. */
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
