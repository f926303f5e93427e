// The installed app: its start without a network, and the change to another release.

import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { Api } from "./api";
import { expect, type Person, test } from "./person";
import { freePort, Server } from "./server";
import { findCaddy, Web } from "./web";

test.use({ serviceWorkers: "allow" });

/** Waits until the browser has what it needs to start without a network. */
async function isPrepared({ page }: Person): Promise<void> {
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    while (registration.active?.state !== "activated")
      await new Promise((resolve) => setTimeout(resolve, 100));
  });
}

/** Returns whether anything is kept of a text, under the name of any reader. */
const isKept = ({ page }: Person, text: string) =>
  page.evaluate(async (text) => {
    const names = (await caches.keys()).filter((name) => name.startsWith("gapless.rooms."));
    for (const name of names) {
      const cache = await caches.open(name);
      for (const key of await cache.keys()) {
        if ((await (await cache.match(key))?.text())?.includes(text)) return true;
      }
    }
    return false;
  }, text);

const isOffline = ({ page }: Person) => expect(page.getByText(/^Showing messages saved on /)).toBeVisible();

test("visited rooms are read without a network, and go on by themselves when there is one", async ({
  person,
}) => {
  const server = await Server.start("offline");
  try {
    const api = new Api(server.url);
    const [room, other] = [await api.room(), await api.room()];
    const author = await api.account();
    for (let n = 1; n <= 60; n++) await api.post(author, room, `line ${n}`);
    const member = await person({ url: server.url });
    await member.signsIn(await api.account());
    await member.opens(room);
    await member.sees("line 60");
    await isPrepared(member);
    await expect.poll(() => isKept(member, "line 60"), { timeout: 60_000 }).toBe(true);

    await server.stop();
    await member.page.reload();
    await member.sees("line 60");
    await isOffline(member);
    await expect(member.field).toBeVisible();
    const { violations } = await new AxeBuilder({ page: member.page }).analyze();
    expect(violations.map(({ id }) => id)).toEqual([]);
    await member.goesTo(`/r/${other.id}`);
    await expect(member.page.getByRole("heading", { name: "Could not load this room" })).toBeVisible();
    await member.goesTo(`/r/${room.id}`);
    await member.writes("written without a network");

    await server.startAgain();
    await member.isLive();
    await member.seesSent("written without a network");
    await expect(member.page.getByText(/^Showing messages saved on /)).toHaveCount(0);
    await api.post(author, room, "line 61");
    await member.sees("line 61");
  } finally {
    await server.stop();
  }
});

test("nothing is left after signing out, and requests to the API are not cached", async ({ api, person }) => {
  const room = await api.room();
  await api.post(await api.account(), room, "read by a member");
  const member = await person();
  await member.signsIn(await api.account());
  await member.opens(room);
  await member.sees("read by a member");
  await isPrepared(member);
  await expect.poll(() => isKept(member, "read by a member"), { timeout: 60_000 }).toBe(true);
  const cached = await member.page.evaluate(async () => {
    const names = (await caches.keys()).filter((name) => name.startsWith("gapless.shell."));
    const keys = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return keys.flat().map(({ url }) => new URL(url).pathname);
  });
  expect(cached).toContain("/");
  const isFile = /^\/(assets\/.*|config\.js|theme\.js|favicon\.svg|manifest\.webmanifest)?$/;
  expect(cached.filter((path) => !isFile.test(path))).toEqual([]);
  await member.page.getByRole("button", { name: "Your account" }).click();
  await member.page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(member.page.getByRole("link", { name: "Sign in" }).first()).toBeVisible();
  await expect.poll(() => isKept(member, "read by a member")).toBe(false);
});

/** Makes another release of the app: the same code under other names. Returns the script of its page. */
function anotherRelease(dir: string, mark: string): string {
  const assets = join(dir, "assets");
  const names = readdirSync(assets).filter((name) => /\.(js|css)$/.test(name));
  const marked = (name: string) => name.replace(/\.(js|css)$/, `${mark}.$1`);
  const renamed = (text: string) => names.reduce((all, name) => all.replaceAll(name, marked(name)), text);
  for (const name of names) {
    const path = join(assets, name);
    writeFileSync(path, renamed(readFileSync(path, "utf8")));
    renameSync(path, join(assets, marked(name)));
  }
  const [page, worker] = [join(dir, "index.html"), join(dir, "sw.js")];
  writeFileSync(page, renamed(readFileSync(page, "utf8")));
  writeFileSync(
    worker,
    renamed(readFileSync(worker, "utf8")).replace(/RELEASE = "\w+"/, `RELEASE = "${mark}"`),
  );
  return scriptOf(readFileSync(page, "utf8"));
}

const scriptOf = (page: string) => /<script type="module"[^>]* src="([^"]+)"/.exec(page)?.[1] ?? "";

const script = ({ page }: Person) =>
  page.evaluate(() => document.querySelector<HTMLScriptElement>("script[type=module]")?.getAttribute("src"));

/** Waits until the worker of a release has taken over. */
async function isUpdated(tab: Person, mark: string): Promise<void> {
  const isThere = () =>
    tab.page.evaluate(async (name) => {
      const registration = await navigator.serviceWorker.ready;
      await registration.update();
      const { installing, waiting, active } = registration;
      if (installing || waiting || active?.state !== "activated") return false;
      return (await caches.has(name)) && (await (await caches.open(name)).match("/")) !== undefined;
    }, `gapless.shell.${mark}`);
  await expect.poll(isThere, { timeout: 60_000 }).toBe(true);
}

async function servesItsApp(name: string) {
  const dir = mkdtempSync(join(tmpdir(), "gapless-spa-"));
  cpSync("dist", dir, { recursive: true });
  return { dir, server: await Server.start(name, { SPA_DIR: dir }) };
}

test("a reload gets the newer release, and a tab of the older one goes on working", async ({ person }) => {
  const { dir, server } = await servesItsApp("releases");
  try {
    const api = new Api(server.url);
    const room = await api.room();
    await api.post(await api.account(), room, "still here");
    const older = await person({ url: server.url });
    await older.opens(room);
    await isPrepared(older);
    const before = await script(older);

    const after = anotherRelease(dir, "second");
    expect(after).not.toBe(before);
    const newer = await older.opensTab();
    await newer.opens(room);
    await newer.sees("still here");
    expect(await script(newer)).toBe(after);
    await isUpdated(newer, "second");

    // Its page was not loaded yet, and the server no longer has it.
    await older.page.getByRole("link", { name: "Sign in" }).first().click();
    await expect(older.page.getByRole("heading", { name: "Welcome back" })).toBeVisible();
    expect(await script(older)).toBe(before);
    await older.page.reload();
    await expect(older.page.getByRole("heading", { name: "Welcome back" })).toBeVisible();
    expect(await script(older)).toBe(after);
  } finally {
    await server.stop();
  }
});

test("a release that was deployed while the browser was offline comes with the network", async ({
  person,
}) => {
  const { dir, server } = await servesItsApp("deployed-meanwhile");
  try {
    const api = new Api(server.url);
    const room = await api.room();
    await api.post(await api.account(), room, "still here");
    const reader = await person({ url: server.url });
    await reader.opens(room);
    await isPrepared(reader);
    await expect.poll(() => isKept(reader, "still here"), { timeout: 60_000 }).toBe(true);
    const before = await script(reader);

    await server.stop();
    anotherRelease(dir, "second");
    const after = anotherRelease(dir, "third");
    await reader.page.reload();
    await reader.sees("still here");
    await isOffline(reader);
    expect(await script(reader)).toBe(before);

    await server.startAgain();
    await reader.isLive();
    await reader.page.reload();
    await reader.isLive();
    expect(await script(reader)).toBe(after);
    await isUpdated(reader, "third");

    // The third release is the one that opens without a network from now on.
    await server.stop();
    await reader.page.reload();
    await reader.sees("still here");
    expect(await script(reader)).toBe(after);
  } finally {
    await server.stop();
  }
});

test("a worker that the server no longer has does not keep the page from being replaced", async ({
  person,
}) => {
  const { dir, server } = await servesItsApp("no-worker");
  try {
    const api = new Api(server.url);
    const room = await api.room();
    const reader = await person({ url: server.url });
    await reader.opens(room);
    await isPrepared(reader);
    for (const mark of ["second", "third"]) {
      const after = anotherRelease(dir, mark);
      // `anotherRelease` needs the file once more.
      renameSync(join(dir, "sw.js"), join(dir, "kept.txt"));
      await reader.opens(room);
      expect(await script(reader)).toBe(after);
      renameSync(join(dir, "kept.txt"), join(dir, "sw.js"));
    }
    rmSync(join(dir, "sw.js"));
    const other = await person({ url: server.url });
    const failures: Error[] = [];
    other.page.on("pageerror", (error) => failures.push(error));
    await other.opens(room);
    expect(failures).toEqual([]);

    // Anything but the app's own pages passes the worker.
    await reader.goesTo("/swagger");
    await expect(reader.page).toHaveTitle(/Swagger/);
    await reader.goesTo(`/messages?room_id=${room.id}`);
    await expect(reader.page.locator("body")).toContainText('"messages"');
    expect(await reader.page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
  } finally {
    await server.stop();
  }
});

test("the app opens without a network where another host has the API", async ({ person }) => {
  const caddy = findCaddy();
  test.skip(!caddy, "Caddy is not installed, so the app's own static server cannot be tried.");
  const port = await freePort();
  const page = `http://web.localhost:${port}`;
  const server = await Server.start("offline-two-hosts", { SPA_DIR: "", ALLOWED_ORIGINS: page });
  const web = await Web.start(caddy ?? "", port, `http://api.localhost:${server.port}`);
  try {
    const kind = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).headers;
    expect((await kind("/sw.js")).get("content-type")).toContain("text/javascript");
    expect((await kind("/sw.js")).get("cache-control")).toBe("no-cache");
    expect((await kind("/sw.js")).get("content-security-policy")).toContain("default-src 'self'");
    expect((await kind("/manifest.webmanifest")).get("content-type")).toBe("application/manifest+json");
    expect((await kind("/icons/icon-192.png")).get("content-type")).toBe("image/png");

    const api = new Api(server.url);
    const room = await api.room();
    await api.post(await api.account(), room, "read before");
    const reader = await person({ url: page });
    await reader.opens(room);
    await reader.sees("read before");
    await isPrepared(reader);
    await expect.poll(() => isKept(reader, "read before"), { timeout: 60_000 }).toBe(true);
    web.stop();
    await server.stop();
    await reader.page.reload();
    await reader.sees("read before");
    await isOffline(reader);
  } finally {
    web.stop();
    await server.stop();
  }
});
