// Work that one tab at a time may do, where the browser can see to that. No tab waits for ever: another one may be frozen
// while it holds the lock, or may wait for an answer that never comes.

/**
 * Does `work` while no other tab does work of this name. After `patienceMs` it goes on all the same, so `work` must stay
 * right when two tabs do it at once. `isAlone` is false then, and where the browser has no locks (plain HTTP).
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
    // A lock that was waited for in vain, or is not to be had (storage blocked): never a reason not to work.
    if (hasBegun) throw error;
    return work(false);
  } finally {
    clearTimeout(timer);
  }
}
