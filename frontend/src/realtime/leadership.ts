// Elects one tab of this browser by a Web Lock: whoever holds it leads, and death of any kind passes it on.

/** Web Locks exist in secure contexts only; a plain-HTTP address other than localhost has none. */
export function canElect(): boolean {
  return typeof BroadcastChannel !== "undefined" && navigator.locks !== undefined;
}

/**
 * Waits to lead, then calls `onLead`; calls `onLost` if another tab takes the lead by force, and waits again.
 * With `steal` it does not wait: for a leader that is frozen and so neither speaks nor dies.
 */
export function campaign(name: string, leader: { onLead(): void; onLost(): void }) {
  const resigned = new AbortController();
  let resign = () => {};

  const run = (steal: boolean): void => {
    const held = () =>
      new Promise<void>((resolve) => {
        resign = resolve;
        leader.onLead();
      });
    const options = steal ? { steal } : { signal: resigned.signal };
    navigator.locks.request(name, options, held).catch(() => {
      if (resigned.signal.aborted) return;
      // Only a lock once held can be stolen; anything else here is the page going away.
      leader.onLost();
      run(false);
    });
  };
  run(false);

  return {
    steal: () => run(true),
    resign: () => {
      resigned.abort();
      resign();
    },
  };
}

/** Holds a lock for as long as this tab lives, so that others can tell when it is gone. */
export function holdWhileAlive(name: string): void {
  void navigator.locks.request(name, () => new Promise<void>(() => {}));
}

/** Calls `onGone` once the holder of `name` lives no more. */
export function whenGone(name: string, onGone: () => void): void {
  void navigator.locks.request(name, { mode: "shared" }, onGone);
}
