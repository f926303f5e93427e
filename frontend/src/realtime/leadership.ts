// Elects one tab of this browser by a Web Lock: whoever holds it leads, and death of any kind passes it on.

/** Web Locks exist in secure contexts only; at a plain-HTTP address other than localhost there are none. */
export function electionLocks(): LockManager | null {
  return typeof BroadcastChannel === "undefined" ? null : (navigator.locks ?? null);
}

/**
 * Waits to lead, then calls `onLead`; calls `onLost` if another tab takes the lead by force, and waits again.
 * With `steal` it does not wait: for a leader that is frozen and so neither speaks nor dies.
 */
export function campaign(locks: LockManager, name: string, leader: { onLead(): void; onLost(): void }) {
  let waiting = new AbortController();
  let isOver = false;
  let resign = () => {};

  const stand = (steal: boolean): void => {
    // Whoever takes the lead waits for it no longer.
    waiting.abort();
    waiting = new AbortController();
    const { signal } = waiting;
    const hold = () =>
      new Promise<void>((resolve) => {
        resign = resolve;
        leader.onLead();
      });
    // The two options exclude each other.
    const request = steal ? { steal } : { signal };
    locks.request(name, request, hold).catch(() => {
      if (isOver || signal.aborted) return;
      leader.onLost();
      stand(false);
    });
  };
  stand(false);

  return {
    steal: () => stand(true),
    resign: () => {
      isOver = true;
      waiting.abort();
      resign();
    },
  };
}

/** Holds a lock for as long as this tab lives, so that others can tell when it is gone; resolves once it is held. */
export function holdWhileAlive(locks: LockManager, name: string): Promise<void> {
  return new Promise((resolve) => {
    void locks.request(name, () => {
      resolve();
      return new Promise<void>(() => {});
    });
  });
}

/** Calls `onGone` once the holder of `name` lives no more. */
export function whenGone(locks: LockManager, name: string, onGone: () => void): void {
  void locks.request(name, { mode: "shared" }, onGone);
}
