// Opens the app without a network. The build replaces `RELEASE` and `FILES`.
//
// It never chooses a release: pages come from the network as long as there is one, so a reload always gets the newest.
// Files under `/assets/` never change and may be served from any cache. Everything else, the API and its streams above
// all, is left to the browser.

const RELEASE = "__RELEASE__";
/** The files of this release; the first is the script that its page references. */
const FILES = JSON.parse("__FILES__");
const UNHASHED = ["/config.js", "/theme.js", "/favicon.svg", "/manifest.webmanifest"];
const PREFIX = "gapless.shell.";
/** This release and the one before, whose tabs may still be open and load their parts. */
const KEPT_RELEASES = 2;
/** Time after which a page that the network does not deliver is opened from the cache. */
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
  if (request.mode === "navigate") event.respondWith(page(event));
  else if (pathname.startsWith("/assets/")) event.respondWith(asset(request));
  else if (UNHASHED.includes(pathname)) event.respondWith(newest(request));
});

/** Fails, and is tried again later, if the server delivers another release: its page would need other files. */
async function install() {
  const shell = await fetch("/", { cache: "no-store" });
  if (!shell.ok || !(await shell.clone().text()).includes(FILES[0]))
    throw new Error("another release is served");
  const cache = await caches.open(PREFIX + RELEASE);
  await cache.addAll([...FILES, ...UNHASHED]);
  await cache.put("/", shell);
  await self.skipWaiting();
}

async function activate() {
  await self.registration.navigationPreload?.enable();
  const shells = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== PREFIX + RELEASE);
  const outdated = shells.slice(0, Math.max(0, shells.length - (KEPT_RELEASES - 1)));
  await Promise.all(outdated.map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** The page from the network; that of the cache if there is none, or if only a proxy answers. */
async function page(event) {
  const kept = () => caches.open(PREFIX + RELEASE).then((cache) => cache.match("/"));
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, null));
  const loaded = Promise.resolve(event.preloadResponse).then((response) => response ?? fetch(event.request));
  const response = await Promise.race([loaded.catch(() => null), late]);
  if (response && response.status < 500) return response;
  return (await kept()) ?? response ?? loaded;
}

async function asset(request) {
  return (await caches.match(request, { ignoreSearch: true, ignoreVary: true })) ?? fetch(request);
}

async function newest(request) {
  try {
    const response = await fetch(request);
    if (response.ok) return response;
  } catch {
    // No network.
  }
  return (await caches.match(request, { ignoreVary: true })) ?? Response.error();
}
