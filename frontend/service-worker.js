// Opens the app without a network, and shows notifications. The build replaces `RELEASE` and `FILES`.
//
// It never chooses a release: pages come from the network as long as there is one, so a reload always gets the newest,
// also when the server has no worker any more. Files under `/assets/` never change and may be served from any cache.
// Everything else, the API and its streams above all, is left to the browser.

const RELEASE = "__RELEASE__";
/** The files of this release; the first is the script that its page references. */
const FILES = JSON.parse("__FILES__");
const UNHASHED = ["/config.js", "/theme.js", "/favicon.svg", "/manifest.webmanifest"];
/** Addresses of the app's own pages. A browser that opens another address, such as `/swagger`, gets no page of the app. */
const PAGES = /^\/(?:$|(?:r|dm|me|admin)\/|(?:dm|admin|settings|sign-in|sign-up)\/?$)/;
const PREFIX = "gapless.shell.";
/** This release and the one before, whose tabs may still be open and load their parts. */
const KEPT_RELEASES = 2;
/** Time after which what the network does not deliver is taken from the cache. */
const PATIENCE_MS = 8_000;

self.addEventListener("install", (event) => {
  event.waitUntil(install());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (PAGES.test(pathname)) event.respondWith(newest(request, "/"));
  } else if (pathname.startsWith("/assets/")) event.respondWith(asset(request));
  else if (UNHASHED.includes(pathname)) event.respondWith(newest(request, pathname));
});

/** Fails, and is tried again later, if the server delivers another release: its page would need other files. */
async function install() {
  const shell = await fetch("/", { cache: "no-store" });
  // A redirected response cannot be served as a page.
  if (!shell.ok || shell.redirected || !(await shell.clone().text()).includes(FILES[0]))
    throw new Error("another release is served");
  // After a rollback, this release is the newest again.
  await caches.delete(PREFIX + RELEASE);
  const cache = await caches.open(PREFIX + RELEASE);
  await cache.addAll([...FILES, ...UNHASHED]);
  await cache.put("/", shell);
  await self.skipWaiting();
}

async function activate() {
  const shells = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== PREFIX + RELEASE);
  const outdated = shells.slice(0, Math.max(0, shells.length - (KEPT_RELEASES - 1)));
  await Promise.all(outdated.map((name) => caches.delete(name)));
  await self.clients.claim();
}

/**
 * Without navigation preload: Firefox shows its error page if the preload fails, whatever the worker answers.
 *
 * The response of the network; that of the cache if there is none, or if only a proxy answers.
 */
async function newest(request, path) {
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, null));
  const loaded = fetch(request);
  const response = await Promise.race([loaded.catch(() => null), late]);
  if (response && response.status < 500) return response;
  const cache = await caches.open(PREFIX + RELEASE);
  return (await cache.match(path, { ignoreVary: true })) ?? response ?? loaded;
}

async function asset(request) {
  return (await caches.match(request, { ignoreSearch: true, ignoreVary: true })) ?? fetch(request);
}
