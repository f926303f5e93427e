// Elects one tab of this browser with a Web Lock: the holder leads, and when it is gone, the next one takes over.

/** Web Locks exist in secure contexts only; at a plain-HTTP address other than localhost there are none. */
export function electionLocks(): LockManager | null {
  return typeof BroadcastChannel === "undefined" ? null : (navigator.locks ?? null);
}

/**
 * Delay before a tab that lost the lead requests it again. WebKit rejects the locks of a page that is being unloaded; a
 * page that requests them again in the same task gets rejected in an endless loop and never unloads.
 */
const PAUSE_MS = 100;

/**
 * Waits to lead, then calls `onLead`; calls `onLost` if another tab takes the lead by force, and waits again.
 * `steal` takes the lead without waiting, from a leader that is frozen.
 */
export function campaign(locks: LockManager, name: string, leader: { onLead(): void; onLost(): void }) {
  let waiting = new AbortController();
  let isOver = false;
  let pause: ReturnType<typeof setTimeout> | undefined;
  let resign = () => {};

  const stand = (steal: boolean): void => {
    clearTimeout(pause);
    // A tab that takes the lead stops waiting for it.
    waiting.abort();
    waiting = new AbortController();
    const { signal } = waiting;
    let isLeading = false;
    const hold = () =>
      new Promise<void>((resolve) => {
        if (isOver) return resolve();
        isLeading = true;
        resign = resolve;
        leader.onLead();
      });
    // The two options exclude each other.
    const request = steal ? { steal } : { signal };
    locks.request(name, request, hold).catch((error: unknown) => {
      if (isOver || signal.aborted) return;
      // A browser that blocks storage refuses locks as well: then each tab leads itself.
      if (error instanceof DOMException && error.name === "SecurityError") return leader.onLead();
      if (isLeading) leader.onLost();
      pause = setTimeout(() => stand(false), PAUSE_MS);
    });
  };
  stand(false);

  return {
    steal: () => stand(true),
    resign: () => {
      isOver = true;
      clearTimeout(pause);
      waiting.abort();
      resign();
    },
  };
}

/**
 * Holds a lock for as long as this tab lives, or until `release`, so that others can detect its end. `onHeld` is called
 * once it is held.
 */
export function holdWhileAlive(locks: LockManager, name: string, onHeld: () => void): { release(): void } {
  const waiting = new AbortController();
  let release = () => waiting.abort();
  const hold = () =>
    new Promise<void>((resolve) => {
      release = resolve;
      onHeld();
    });
  locks.request(name, { signal: waiting.signal }, hold).catch(() => {});
  return { release: () => release() };
}

/** Calls `onGone` once the holder of `name` is gone. */
export function whenGone(locks: LockManager, name: string, onGone: () => void): void {
  locks.request(name, { mode: "shared" }, onGone).catch(() => {});
}
