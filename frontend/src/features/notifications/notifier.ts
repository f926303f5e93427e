// Elects the tab of this browser that passes events on to the service worker. It is not always the one that holds the
// stream: that one may have been opened a moment ago, and not have loaded notifications yet.

const LOCK = "gapless.notifier";

let isElected = false;
let release = () => {};

export const isNotifier = (): boolean => isElected;

export function standForNotifier(): void {
  // Missing over plain HTTP, where there are no notifications either.
  if (!navigator.locks) return;
  stand();
  // A page that holds a lock would not be restored from the back/forward cache.
  window.addEventListener("pagehide", () => release());
  window.addEventListener("pageshow", ({ persisted }) => persisted && stand());
}

function stand(): void {
  const waiting = new AbortController();
  let resign = () => waiting.abort();
  release = () => resign();
  const hold = () =>
    new Promise<void>((resolve) => {
      isElected = true;
      resign = () => {
        isElected = false;
        resolve();
      };
    });
  // Refused where the browser blocks storage.
  navigator.locks.request(LOCK, { signal: waiting.signal }, hold).catch(() => {});
}
