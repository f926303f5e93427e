// Notifications of the browser, the card that offers them, their settings, and private messages that arrive elsewhere.

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import type { Account, Api, Room } from "./api";
import { allows, isPrepared, shownTo, turnsOn } from "./notified";
import { expect, type Person, test } from "./person";

test.use({ serviceWorkers: "allow" });

const CARD = "Get notified when somebody mentions you?";

/** Playwright's pages always have the focus. */
async function looks({ page }: Person, isLooking: boolean): Promise<void> {
  await page.evaluate((isLooking) => {
    document.hasFocus = () => isLooking;
    window.dispatchEvent(new Event(isLooking ? "focus" : "blur"));
  }, isLooking);
}

async function hasNoViolations(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id }) => id)).toEqual([]);
}

async function mentions(api: Api, author: Account, room: Room, whom: Account, text: string): Promise<void> {
  const body = {
    room_id: room.id,
    body: `@[user:${whom.id}] ${text}`,
    mentions: [whom.id],
    client_id: crypto.randomUUID(),
  };
  await api.send("POST", "/messages", body, author);
}

test("nobody is asked on load; the card comes after the first own message, and Not now is respected", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const account = await api.account();
  const bo = await person();
  await allows(bo);
  await bo.page.addInitScript(() => {
    const request = Notification.requestPermission.bind(Notification);
    Notification.requestPermission = () => {
      sessionStorage.setItem("asked", "yes");
      return request();
    };
  });
  const isAsked = () => bo.page.evaluate(() => sessionStorage.getItem("asked") !== null);
  await bo.signsIn(account);
  await bo.opens(room);
  await isPrepared(bo);
  await expect(bo.page.getByText(CARD)).toHaveCount(0);
  await bo.writes("hello");
  await expect(bo.page.getByText(CARD)).toBeVisible();
  await hasNoViolations(bo.page);
  await bo.page.getByRole("button", { name: "Not now" }).click();
  await expect(bo.page.getByText(CARD)).toHaveCount(0);
  await bo.writes("hello again");
  await bo.seesSent("hello again");
  await expect(bo.page.getByText(CARD)).toHaveCount(0);

  // Two weeks later it asks once more, and then never again.
  const later = (weeks: number) =>
    bo.page.evaluate(
      (ms) => {
        const asked = JSON.parse(localStorage.getItem("gapless.notifications.asked") ?? "{}");
        localStorage.setItem("gapless.notifications.asked", JSON.stringify({ ...asked, at: asked.at - ms }));
      },
      weeks * 7 * 86_400_000,
    );
  await later(2);
  await bo.writes("two weeks later");
  expect(await isAsked()).toBe(false);
  await bo.page.getByRole("button", { name: "Turn on" }).click();
  await expect(bo.page.getByText("Notifications are on")).toBeVisible();
  expect(await isAsked()).toBe(true);
  await later(3);
  await bo.writes("even later");
  await bo.seesSent("even later");
  await expect(bo.page.getByText(CARD)).toHaveCount(0);
});

test("a mention notifies whoever does not look, once for each room, until it is read anywhere", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const [ali, account] = [await api.account(), await api.account()];
  const bo = await person();
  await allows(bo);
  await bo.signsIn(account);
  await turnsOn(bo);
  await bo.opens(room);
  await isPrepared(bo);
  const tag = `room:${room.id}`;

  // Seen here, so nothing is shown.
  await mentions(api, ali, room, account, "while bo looks");
  await bo.sees("while bo looks");
  await looks(bo, false);
  const second = await bo.opensTab();
  await second.goesTo("/settings");
  await second.page.bringToFront();
  await looks(second, false);
  await api.post(ali, room, "nothing for bo");
  await mentions(api, ali, room, account, "one");
  await expect
    .poll(() => shownTo(bo))
    .toEqual({
      [tag]: { title: `${ali.username} mentioned you in ${room.name}`, body: `@${account.username} one` },
    });
  await mentions(api, ali, room, account, "two");
  await expect
    .poll(() => shownTo(bo))
    .toEqual({
      [tag]: { title: `${room.name}: 2 new`, body: `Last from ${ali.username}: @${account.username} two` },
    });
  await api.send("PUT", `/rooms/${room.id}/read`, { seq: 4 }, account);
  await expect.poll(() => shownTo(bo)).toEqual({});

  // In a room that is open nowhere.
  const other = await api.room();
  await mentions(api, ali, other, account, "elsewhere");
  await expect
    .poll(async () => (await shownTo(bo))[`room:${other.id}`]?.title)
    .toBe(`${ali.username} mentioned you in ${other.name}`);
  await api.send("PUT", `/rooms/${other.id}/read`, { seq: 1 }, account);
  await expect.poll(() => shownTo(bo)).toEqual({});

  // Levels.
  await api.send("PUT", `/rooms/${room.id}/level`, { level: "none" }, account);
  await expect(bo.page.getByRole("button", { name: "Notify me about: nothing" })).toBeVisible();
  await mentions(api, ali, room, account, "silenced");
  await bo.sees("silenced");
  await bo.page.getByRole("button", { name: "Notify me about: nothing" }).click();
  await hasNoViolations(bo.page);
  await bo.page.getByRole("menuitemradio", { name: "Every message" }).click();
  await expect(bo.page.getByRole("button", { name: "Notify me about: every message" })).toBeVisible();
  await api.post(ali, room, "anything");
  await expect
    .poll(() => shownTo(bo))
    .toEqual({ [tag]: { title: `${ali.username} in ${room.name}`, body: "anything" } });

  // Nothing is left for the next person at this browser.
  await looks(bo, true);
  await bo.page.getByRole("button", { name: "Your account" }).click();
  await bo.page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect.poll(() => shownTo(bo)).toEqual({});
});

test("settings: on and off, without texts, a test, and what a browser refuses", async ({ api, person }) => {
  const account = await api.account();
  const bo = await person();
  await allows(bo);
  await bo.signsIn(account);
  await bo.goesTo("/settings");
  await isPrepared(bo);
  const section = bo.page.getByRole("region", { name: "Notifications" });
  const onDevice = section.getByRole("checkbox", { name: "Notify me on this device" });
  await expect(onDevice).not.toBeChecked();
  await onDevice.check();
  await section.getByRole("button", { name: "Send a test notification" }).click();
  await expect
    .poll(() => shownTo(bo))
    .toEqual({ test: { title: "Notifications work", body: "Messages for you will look like this." } });

  await section.getByRole("checkbox", { name: "Show the text of messages" }).uncheck();
  await hasNoViolations(bo.page);
  await looks(bo, false);
  const admin = await api.admin();
  const direct = { recipient_id: account.id, body: "between us", client_id: crypto.randomUUID() };
  await api.send("POST", "/direct-messages", direct, admin);
  await expect
    .poll(async () => (await shownTo(bo))[`direct:${admin.id}`])
    .toEqual({
      title: "New private message",
      body: "",
    });

  await looks(bo, true);
  await onDevice.uncheck();
  await expect.poll(() => shownTo(bo)).toEqual({});
  await bo.page.context().clearPermissions();
  await bo.page.reload();
  await bo.page.evaluate(() => {
    Object.defineProperty(Notification, "permission", { get: () => "denied" });
    window.dispatchEvent(new Event("focus"));
  });
  await expect(section.getByText("Your browser blocks notifications from this site.")).toBeVisible();
  await expect(onDevice).toBeDisabled();
  await hasNoViolations(bo.page);
});

test("a private message shows wherever its recipient is, and waits under the pointer", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const account = await api.account();
  const admin = await api.admin();
  for (const size of [
    { width: 1280, height: 720 },
    { width: 390, height: 844 },
  ]) {
    const bo = await person();
    await bo.page.setViewportSize(size);
    await bo.signsIn(account);
    await bo.opens(room);
    const toasts = bo.page.getByRole("status", { name: "New private messages" });
    await expect(toasts).toHaveCount(1);
    await isPrepared(bo);
    const body = `for ${size.width} only`;
    const direct = { recipient_id: account.id, body, client_id: crypto.randomUUID() };
    await api.send("POST", "/direct-messages", direct, admin);
    const toast = toasts.getByTestId("toast");
    await expect(toast).toContainText("Private message from admin");
    await expect(toast).toContainText(body);
    await toast.hover();
    await hasNoViolations(bo.page);
    await toast.getByRole("button", { name: "Open" }).click();
    await bo.sees(body);
    await expect(bo.page).toHaveURL(new RegExp(`/dm/${admin.id}$`));
    const next = { ...direct, body: `${body}, seen`, client_id: crypto.randomUUID() };
    await api.send("POST", "/direct-messages", next, admin);
    await bo.sees(next.body);
    await expect(toast).toHaveCount(0);
  }
});

test("a recipient who may answer replies at once", async ({ api, person }) => {
  const boss = await person();
  const [admin, second] = [await api.admin(), await api.account()];
  await api.send("PATCH", `/users/${second.id}`, { role: "admin" }, admin);
  await boss.page.setViewportSize({ width: 390, height: 844 });
  await boss.signsIn({ username: "admin", password: "admin" });
  await boss.opens(await api.room());
  await isPrepared(boss);
  const body = "Could you look at the report of yesterday evening, please? It is about the second room.";
  const direct = { recipient_id: admin.id, body, client_id: crypto.randomUUID() };
  await api.send("POST", "/direct-messages", direct, second);
  const toast = boss.page.getByTestId("toast").filter({ hasText: second.username });
  await toast.hover();
  await hasNoViolations(boss.page);
  await toast.getByRole("button", { name: "Reply" }).click();
  await expect(boss.page).toHaveURL(new RegExp(`/dm/${second.id}$`));
  await expect(boss.field).toBeFocused();
});
