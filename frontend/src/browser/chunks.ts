// Parts of the page that are loaded when they are first needed. One that cannot be loaded now is asked for until it comes:
// the network may be away, or the server restarting. After a deployment the parts of the release before are gone for good.

import { Observable } from "./observable";
import { isNewerReleaseThere } from "./release";

/** Whether a part that was asked for could not be loaded so far. */
export const isChunkMissing = new Observable(false);

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
const missing = new Set<object>();

/** `load` imports a chunk. Answers once that succeeded, however often it has to be tried. */
export async function loadChunk<T>(load: () => Promise<T>): Promise<T> {
  const request = {};
  try {
    for (let failures = 0; ; failures++) {
      try {
        return await load();
      } catch (error) {
        if (!isFailureToLoad(error)) throw error;
        missing.add(request);
        isChunkMissing.set(true);
        if (await isReplaced()) isNewerReleaseThere.set(true);
        await onlineOrAfter(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures));
      }
    }
  } finally {
    missing.delete(request);
    isChunkMissing.set(missing.size > 0);
  }
}

/** Every browser throws a `TypeError` for a module it cannot fetch; Vite has an error of its own for style sheets. */
function isFailureToLoad(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof Error && /preload/i.test(error.message));
}

/** Whether the server's page names another script than the one that runs here. */
async function isReplaced(): Promise<boolean> {
  const own = document.querySelector<HTMLScriptElement>('script[type="module"][src]')?.getAttribute("src");
  if (!own) return false;
  try {
    const response = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    const page = await response.text();
    return response.ok && /<script[^>]+type="module"/.test(page) && !page.includes(own);
  } catch {
    return false;
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
