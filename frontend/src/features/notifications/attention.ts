// Tells the service worker what is being looked at, by locks: they end with the tab, however it ends.

/** The names that `service-worker-notifications.js` asks for. */
const WATCHING = "gapless.watching.";
const FOCUSED = "gapless.focused";

let place: string | null = null;
let isStarted = false;
/** Releases the held locks, by name. */
const held = new Map<string, () => void>();

/** Sets the room or conversation on the screen, by the tag of its notification. */
export function watch(tag: string | null): void {
  place = tag;
  if (!isStarted) {
    isStarted = true;
    for (const kind of ["focus", "blur", "pagehide", "pageshow"]) window.addEventListener(kind, update);
    document.addEventListener("visibilitychange", update);
  }
  update();
}

export function isLookedAt(): boolean {
  return document.visibilityState === "visible" && document.hasFocus();
}

function update(): void {
  const wanted = new Set(isLookedAt() ? [FOCUSED, ...(place ? [WATCHING + place] : [])] : []);
  for (const [name, release] of held) {
    if (wanted.has(name)) continue;
    held.delete(name);
    release();
  }
  for (const name of wanted) {
    if (!held.has(name)) hold(name);
  }
}

function hold(name: string): void {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  held.set(name, release);
  // Missing over plain HTTP, where there are no notifications either; refused where storage is blocked.
  void navigator.locks?.request(name, { mode: "shared" }, () => released).catch(() => {});
}
