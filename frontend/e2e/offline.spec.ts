// The installed app: its start without a network, and what it leaves in the browser.

import AxeBuilder from "@axe-core/playwright";
import { Api } from "./api";
import { expect, type Person, test } from "./person";
import { Server } from "./server";

test.use({ serviceWorkers: "allow" });

/** Waits until the browser has what it needs to start without a network. */
async function isPrepared({ page }: Person): Promise<void> {
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    while (registration.active?.state !== "activated")
      await new Promise((resolve) => setTimeout(resolve, 100));
  });
}

const isKept = ({ page }: Person, text: string) =>
  page.evaluate(async (text) => {
    const cache = await caches.open("gapless.rooms");
    const bodies = await Promise.all(
      (await cache.keys()).map(async (key) => (await cache.match(key))?.text()),
    );
    return bodies.some((body) => body?.includes(text));
  }, text);

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
    await expect(member.page.getByText(/^Offline: what you see was read at /)).toBeVisible();
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
    await expect(member.page.getByText(/^Offline: /)).toHaveCount(0);
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
  await expect.poll(() => member.page.evaluate(() => caches.has("gapless.rooms"))).toBe(false);
});
