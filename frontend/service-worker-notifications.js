// The second half of the service worker: notifications. Both the open app (`message`) and the server (`push`) send
// notices; only the worker shows them, one at a time, so that there is one notification per room whoever was first.
//
// A notice is what the server pushes: `{kind, room, from, text, url, tag, pos}`, and `count` if the sender knows how many
// messages are unread.

/** Names of the locks that a focused page holds: of the room or conversation that it shows, and of itself. */
const WATCHING = "gapless.watching.";
const FOCUSED = "gapless.focused";
/** Time after which a page that does not answer, of an earlier release perhaps, is loaded at the new address. */
const ANSWER_MS = 1_000;

let turns = Promise.resolve();

/** Runs one piece of work after the other. */
function inTurn(work) {
  turns = turns.then(work).catch(() => {});
  return turns;
}

self.addEventListener("push", (event) => {
  event.waitUntil(inTurn(() => pushed(read(event.data))));
});

self.addEventListener("message", (event) => {
  const { data } = event;
  if (data?.kind === "notify") event.waitUntil(inTurn(() => notify(data.notice)));
  if (data?.kind === "read") event.waitUntil(inTurn(() => closeRead(data.tag, data.upTo)));
  if (data?.kind === "close") event.waitUntil(inTurn(() => closeRead(undefined, Number.POSITIVE_INFINITY)));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.url ?? "/"));
});

/** A browser ends the subscription of an app that shows nothing, so an unreadable notice is shown in general words. */
function read(data) {
  try {
    return { tag: "gapless", ...data.json() };
  } catch {
    return { tag: "gapless" };
  }
}

/** The server waits a minute before it pushes, so an open app has shown the same message already. */
async function pushed(notice) {
  if (await isHeld(WATCHING + notice.tag)) return;
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  await show(notice, windows.length > 0 && notice.kind !== "test");
}

/** From the open app, which shows private messages by itself while it has the focus. */
async function notify(notice) {
  if (notice.kind !== "test") {
    if (await isHeld(WATCHING + notice.tag)) return;
    if (notice.kind === "direct" && (await isHeld(FOCUSED))) return;
  }
  await show(notice, false);
}

async function show(notice, silent) {
  const { tag, pos = 0, url = "/" } = notice;
  const [shown] = await self.registration.getNotifications({ tag });
  const before = shown?.data ?? { pos: -1, count: 0 };
  const count = notice.count ?? before.count + 1;
  const isNews = notice.count === undefined ? pos > before.pos : count > before.count;
  if (!isNews && notice.kind !== "test") return;
  const { title, body } = wordsOf(notice, count);
  await self.registration.showNotification(title, {
    body,
    tag,
    silent,
    renotify: !silent,
    icon: "/icons/icon-192.png",
    data: { url, pos: Math.max(pos, before.pos), count, at: placeOf(notice) },
  });
}

/** The position by which a notice is read: the `seq` of a message in a room, the `pos` of a private one. */
function placeOf({ tag, url = "", pos = 0 }) {
  return tag.startsWith("room:") ? Number(url.split("/").pop()) || 0 : pos;
}

function wordsOf({ kind, room, from, text }, count) {
  const who = from ?? "Somebody";
  const place = room?.name ?? from ?? "Private messages";
  const body = text ?? "";
  if (kind === "test") return { title: "Notifications work", body: "Messages for you will look like this." };
  if (count > 1) {
    const last = from && room ? `Last from ${from}${body && `: ${body}`}` : body;
    return { title: `${place}: ${count} new`, body: last };
  }
  if (kind === "direct")
    return { title: from ? `Private message from ${from}` : "New private message", body };
  if (kind === "mention" && room) return { title: `${who} mentioned you in ${room.name}`, body };
  if (kind === "reply" && room) return { title: `${who} replied to you in ${room.name}`, body };
  if (!room) return { title: "New message", body };
  return { title: from ? `${from} in ${room.name}` : `New message in ${room.name}`, body };
}

/** Closes the notification of a room or conversation that was read; all of them without a tag. */
async function closeRead(tag, upTo) {
  const shown = await self.registration.getNotifications(tag === undefined ? {} : { tag });
  for (const notification of shown) {
    if ((notification.data?.at ?? 0) <= upTo) notification.close();
  }
}

/** Shows a page in an open window, which goes there without loading, or in a new one. */
async function open(path) {
  const url = new URL(path, self.location.origin);
  if (url.origin !== self.location.origin) return;
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = windows.find(({ focused }) => focused) ?? windows[0];
  if (!page) {
    await self.clients.openWindow(url.href);
    return;
  }
  await page.focus().catch(() => {});
  if (!(await goes(page, url.pathname))) await page.navigate(url.href).catch(() => {});
}

/** Asks a page to go to an address; false if it does not answer. */
function goes(page, path) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => resolve(true);
    setTimeout(resolve, ANSWER_MS, false);
    page.postMessage({ kind: "open", path }, [port2]);
  });
}

async function isHeld(name) {
  const { held = [] } = (await self.navigator.locks?.query()) ?? {};
  return held.some((lock) => lock.name === name);
}
