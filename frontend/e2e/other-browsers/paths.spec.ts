// Paths on which browsers have differed: signing in, reloading, two tabs, a server that is killed and restarted, a start
// without a network.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base, expect } from "@playwright/test";
import { type Account, Api, type Room } from "../api";
import { Server } from "../server";
import { firefox, startFirefox } from "./firefox";
import { startWebKit, webkit } from "./webkit";
import type { OtherBrowser, Window } from "./window";

interface Installed {
  name: string;
  /** Undefined if the browser is not installed. */
  start: (() => Promise<OtherBrowser>) | undefined;
  needs: string;
}

const firefoxPath = firefox();
const webkitPrograms = webkit();
const BROWSERS: Installed[] = [
  { name: "Firefox", start: firefoxPath ? () => startFirefox(firefoxPath) : undefined, needs: "firefox-esr" },
  {
    name: "WebKit",
    start: webkitPrograms ? () => startWebKit(webkitPrograms) : undefined,
    needs: "webkit2gtk-driver and xvfb",
  },
];

/** Longer than any of these paths takes on a shared machine; a page that hangs takes longer. */
const SOON = { timeout: 60_000 };
const FIELD = 'textarea[aria-label^="Message "]';

const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the pattern
    async ({}, use, { workerIndex }) => {
      // Without its service worker, which would have the chunk that one of the tests withholds.
      const dir = mkdtempSync(join(tmpdir(), "gapless-spa-"));
      cpSync("dist", dir, { recursive: true });
      rmSync(join(dir, "sw.js"));
      const server = await Server.start(`other-browsers-${workerIndex}`, { SPA_DIR: dir });
      await use(server);
      await server.stop();
    },
    { scope: "worker", timeout: 180_000 },
  ],
});

// Run the browsers in parallel, independently of each other.
test.describe.configure({ mode: "parallel" });

for (const { name, start, needs } of BROWSERS) {
  test.describe(name, () => {
    test.describe.configure({ mode: "serial" });
    test.skip(!start, `${name} is not tried: ${needs} is not installed`);

    let browser: OtherBrowser;
    let api: Api;
    let account: Account;
    let tab: Window;

    test.beforeAll(async ({ server }) => {
      if (!start) return;
      browser = await start();
      api = new Api(server.url);
      account = await api.account();
      tab = await browser.openTab();
    });

    test.afterAll(async () => {
      await browser?.quit();
    });

    const opens = async (window: Window, url: string, room: Room) => {
      await window.goTo(`${url}/r/${room.id}`);
      await isLive(window);
    };

    test("signing in, writing and reloading", async ({ server }) => {
      await tab.goTo(`${server.url}/sign-in`);
      await tab.type('input[name="username"]', account.username);
      await tab.type('input[name="password"]', account.password);
      await tab.pressEnter('input[name="password"]');
      await expect.poll(() => tab.value("location.pathname"), SOON).not.toContain("sign-in");
      const room = await api.room();
      await opens(tab, server.url, room);
      await writes(tab, "one");
      await shows(tab, ["one"]);
      await tab.type(FIELD, "half a thought");

      const since = Date.now();
      await tab.reload();
      await isLive(tab);
      const draft = () => tab.value(`document.querySelector('${FIELD}')?.value`);
      await expect.poll(draft, SOON).toBe("half a thought");
      // Let the page reload itself in a separate task, as a click on "Reload" does.
      await tab.value("void setTimeout(() => { window.isOld = true; location.reload(); })");
      await expect.poll(() => tab.value("window.isOld !== true"), SOON).toBe(true);
      await isLive(tab);
      expect(Date.now() - since, "both reloads").toBeLessThan(SOON.timeout);
      await tab.pressEnter(FIELD);
      await shows(tab, ["one", "half a thought"]);
    });

    test("two tabs that write at the same time lose nothing; the remaining tab takes over", async ({
      server,
    }) => {
      const room = await api.room();
      const other = await browser.openTab();
      await opens(tab, server.url, room);
      await opens(other, server.url, room);
      const written: string[] = [];
      for (let n = 1; n <= 4; n++) {
        written.push(`a${n}`, `b${n}`);
        await writes(tab, `a${n}`);
        await writes(other, `b${n}`);
      }
      await expect.poll(async () => (await api.bodies(room)).sort(), SOON).toEqual([...written].sort());
      await shows(tab, await api.bodies(room));
      await shows(other, await api.bodies(room));

      // Whichever tab leads: both are reloaded, then one is closed, and the other one receives new messages.
      await tab.reload();
      await isLive(tab);
      await other.reload();
      await isLive(other);
      await tab.close();
      tab = other;
      await api.post(await api.account(), room, "after the other tab was closed");
      await expect.poll(() => bodies(tab), SOON).toContain("after the other tab was closed");
    });

    test("a server that is killed and restarted loses nothing", async ({ server }) => {
      const room = await api.room();
      await opens(tab, server.url, room);
      await writes(tab, "before the cut");
      await shows(tab, ["before the cut"]);
      await server.kill();
      await writes(tab, "first in the dark");
      await writes(tab, "second in the dark");
      await expect
        .poll(() => tab.value("document.querySelector('[data-testid=connection]').dataset.status"), SOON)
        .toMatch(/reconnecting|offline/);
      // A chunk that was not needed so far: the current screen stays until the chunk is loaded.
      await tab.value("void document.querySelector('a[href=\"/dm\"]').click()");
      const says = "document.body.innerText.includes('Part of this page could not be loaded')";
      await expect.poll(() => tab.value(says), SOON).toBe(true);
      await server.startAgain();
      // It loads automatically; if the browser caches the failure, the page offers to reload.
      const isThere = "document.title.startsWith('Private')";
      const isOffered = "[...document.querySelectorAll('main button')].some((b) => b.innerText === 'Reload')";
      await expect.poll(() => tab.value(`${isThere} || ${isOffered}`), SOON).toBe(true);
      await opens(tab, server.url, room);
      const all = ["before the cut", "first in the dark", "second in the dark"];
      await expect.poll(() => api.bodies(room), SOON).toEqual(all);
      await shows(tab, all);
      await isLive(tab);
    });

    test("a visited room opens without a network", async () => {
      const server = await Server.start(`offline-in-${name}`);
      const another = await start?.();
      try {
        if (!another) return;
        const itsApi = new Api(server.url);
        const room = await itsApi.room();
        await itsApi.post(await itsApi.account(), room, "read before");
        const reader = await another.openTab();
        await opens(reader, server.url, room);
        await shows(reader, ["read before"]);
        // The release is kept once the worker is active, and the room within ten seconds.
        await reader.value(NOTE_PREPARED);
        await expect.poll(() => reader.value("window.isPrepared === true"), SOON).toBe(true);

        await server.stop();
        // By itself, since a driver may fail where the server does not answer.
        await reader.value("void setTimeout(() => { window.isOld = true; location.reload(); })");
        await expect.poll(() => reader.value("window.isOld !== true"), SOON).toBe(true);
        await shows(reader, ["read before"]);
        await expect
          .poll(() => reader.value("document.body.innerText"), SOON)
          .toContain("Showing messages saved on ");
        await server.startAgain();
        await isLive(reader);
      } finally {
        await another?.quit();
        await server.stop();
      }
    });
  });
}

const NOTE_PREPARED = `void setInterval(async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  const names = await caches.keys();
  const rooms = names.find((name) => name.startsWith("gapless.rooms."));
  const kept = rooms ? await (await caches.open(rooms)).keys() : [];
  window.isPrepared = registration?.active?.state === "activated" && kept.length > 0;
}, 200)`;

async function writes(window: Window, text: string): Promise<void> {
  await window.type(FIELD, text);
  await window.pressEnter(FIELD);
}

async function isLive(window: Window): Promise<void> {
  const status = "document.querySelector('[data-testid=connection]')?.dataset.status ?? null";
  await expect.poll(() => window.value(status), SOON).toMatch(/live|caught-up/);
}

/** Bodies of all confirmed messages on the screen, from top to bottom. */
function bodies(window: Window): Promise<string[]> {
  return window.value(
    `[...document.querySelectorAll('article[data-state=sent]')]
      .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
      .map((article) => article.querySelector('.prose-chat').textContent.trim())`,
  );
}

async function shows(window: Window, expected: string[]): Promise<void> {
  await expect.poll(() => bodies(window), SOON).toEqual(expected);
}
