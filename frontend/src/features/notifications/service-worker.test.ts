// The part of the service worker that shows notifications.

import { readFileSync } from "node:fs";
import { beforeEach, expect, test, vi } from "vitest";

const SOURCE = readFileSync("service-worker-notifications.js", "utf8");

interface Shown {
  tag: string;
  title: string;
  body: string;
  silent: boolean;
  data: { url: string };
}

class FakePage {
  focused = false;
  navigate = vi.fn(async () => {});
  focus = vi.fn(async () => {});
  /** `isAnswering`: the app on it answers. */
  constructor(private readonly isAnswering: boolean) {}

  postMessage = vi.fn((_: unknown, [port]: MessagePort[]) => {
    if (this.isAnswering) port?.postMessage(true);
  });
}

let handlers: Map<string, (event: object) => void>;
let shown: Shown[];
let locks: string[];
let pages: FakePage[];
const openWindow = vi.fn(async () => {});

beforeEach(() => {
  [handlers, shown, locks, pages] = [new Map(), [], [], []];
  const self = {
    addEventListener: (kind: string, handler: (event: object) => void) => handlers.set(kind, handler),
    location: new URL("https://chat.example.org/sw.js"),
    navigator: { locks: { query: async () => ({ held: locks.map((name) => ({ name })) }) } },
    clients: { matchAll: async () => pages, openWindow },
    registration: {
      getNotifications: async ({ tag }: { tag?: string }) =>
        shown
          .filter((one) => tag === undefined || one.tag === tag)
          .map((one) => ({ ...one, close: () => close(one) })),
      showNotification: async (title: string, options: Omit<Shown, "title">) => {
        shown = [...shown.filter(({ tag }) => tag !== options.tag), { title, ...options }];
      },
    },
  };
  new Function("self", SOURCE)(self);
});

function close(notification: { tag: string }): void {
  shown = shown.filter(({ tag }) => tag !== notification.tag);
}

async function dispatch(kind: string, event: object): Promise<void> {
  let done: Promise<unknown> = Promise.resolve();
  handlers.get(kind)?.({
    ...event,
    waitUntil: (work: Promise<unknown>) => {
      done = work;
    },
  });
  await done;
}

const ask = (data: object) => dispatch("message", { data });
const push = (json: () => unknown) => dispatch("push", { data: { json } });
const notice = (pos: number, change: object = {}) => ({
  kind: "mention",
  room: { id: "1", name: "General" },
  from: "zoe",
  text: `text ${pos}`,
  url: `/r/general-1/${pos}`,
  tag: "room:1",
  pos,
  ...change,
});
const words = () => shown.map(({ title, body }) => [title, body]);

test("there is one notification per room, which counts", async () => {
  await Promise.all([5, 6, 6, 7].map((pos) => ask({ kind: "notify", notice: notice(pos) })));
  expect(words()).toEqual([["General: 3 new", "Last from zoe: text 7"]]);
  await ask({ kind: "read", tag: "room:1", upTo: 6 });
  expect(shown).toHaveLength(1);
  await ask({ kind: "read", tag: "room:1", upTo: 7 });
  expect(shown).toEqual([]);
  await ask({ kind: "notify", notice: notice(8, { text: null }) });
  expect(words()).toEqual([["zoe mentioned you in General", ""]]);
});

test("a sender that knows the number of unread messages sets it", async () => {
  const news = (count: number) => notice(0, { kind: "message", from: null, text: null, count });
  await ask({ kind: "notify", notice: news(1) });
  expect(words()).toEqual([["New message in General", ""]]);
  await ask({ kind: "notify", notice: news(4) });
  await ask({ kind: "notify", notice: news(4) });
  expect(words()).toEqual([["General: 4 new", ""]]);
});

test("what is looked at notifies nobody, nor a private message a page that has the focus", async () => {
  locks = ["gapless.focused", "gapless.watching.room:1"];
  const direct = notice(9, { kind: "direct", room: null, tag: "direct:2" });
  await ask({ kind: "notify", notice: notice(5) });
  await push(() => notice(5));
  await ask({ kind: "notify", notice: direct });
  expect(shown).toEqual([]);
  locks = [];
  await ask({ kind: "notify", notice: direct });
  expect(words()).toEqual([["Private message from zoe", "text 9"]]);
  await ask({ kind: "close" });
  expect(shown).toEqual([]);
});

test("a push is silent beside an open page, and shown in general words if it cannot be read", async () => {
  await push(() => notice(5, { kind: "of a later release" }));
  expect(shown).toMatchObject([{ title: "zoe in General", silent: false }]);
  pages = [new FakePage(true)];
  await push(() => notice(6, { kind: "reply", tag: "room:2" }));
  expect(shown[1]).toMatchObject({ title: "zoe replied to you in General", silent: true });
  await push(() => {
    throw new SyntaxError();
  });
  expect(shown[2]).toMatchObject({ title: "New message", tag: "gapless" });
});

test("a click goes to the message: in an open page, by loading it, or in a new window", async () => {
  const click = (url: string) =>
    dispatch("notificationclick", { notification: { data: { url }, close: () => {} } });
  pages = [new FakePage(true)];
  await click("/r/general-1/5");
  expect(pages[0]?.postMessage.mock.calls[0]?.[0]).toEqual({ kind: "open", path: "/r/general-1/5" });
  expect(pages[0]?.navigate).not.toHaveBeenCalled();

  pages = [new FakePage(false)];
  await click("/r/general-1/5");
  expect(pages[0]?.navigate).toHaveBeenCalledWith("https://chat.example.org/r/general-1/5");

  pages = [];
  await click("/me/direct/2");
  expect(openWindow).toHaveBeenCalledWith("https://chat.example.org/me/direct/2");
  openWindow.mockClear();
  await click("https://evil.example.org/");
  expect(openWindow).not.toHaveBeenCalled();
});
