// Work that only one tab at a time should do, if the browser supports locks. No tab waits forever: another one may be
// frozen while it holds the lock, or may wait for a response that never arrives.

/**
 * Runs `work` while no other tab runs work of this name. After `patienceMs` it runs anyway, so `work` must be correct
 * even if two tabs run it at once. `isAlone` is false then, and if the browser has no locks (plain HTTP).
 */
export async function exclusively<T>(
  name: string,
  patienceMs: number,
  work: (isAlone: boolean) => Promise<T>,
): Promise<T> {
  const locks = navigator.locks as LockManager | undefined;
  if (!locks) return work(false);
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), patienceMs);
  let hasBegun = false;
  try {
    return await locks.request(name, { signal: patience.signal }, () => {
      clearTimeout(timer);
      hasBegun = true;
      return work(true);
    });
  } catch (error) {
    // The lock timed out, or is not available (storage blocked): do the work without it.
    if (hasBegun) throw error;
    return work(false);
  } finally {
    clearTimeout(timer);
  }
}
