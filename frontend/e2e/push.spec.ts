// A push of the server, delivered by DevTools as the push service of a browser would.

import type { Worker } from "@playwright/test";
import { findChromium } from "./chromium";
import { allows, isPrepared, shownTo, turnsOn } from "./notified";
import { expect, type Person, test } from "./person";

// In a browser of its own: one in which many tests have run before sometimes loses what DevTools delivers.
test.use({
  serviceWorkers: "allow",
  launchOptions: { executablePath: findChromium(), args: ["--no-default-browser-check"] },
});

async function workerOf({ page }: Person): Promise<Worker> {
  const [worker] = page.context().serviceWorkers();
  return worker ?? page.context().waitForEvent("serviceworker");
}

/** Delivers a push as the browser's push service would. */
async function delivers({ page }: Person, notice: object): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  let registrationId = "";
  devtools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
    registrationId = registrations.at(-1)?.registrationId ?? registrationId;
  });
  await devtools.send("ServiceWorker.enable");
  await expect.poll(() => registrationId).not.toBe("");
  const { origin } = new URL(page.url());
  await devtools.send("ServiceWorker.deliverPushMessage", {
    origin,
    registrationId,
    data: JSON.stringify(notice),
  });
  await devtools.detach();
}

test("a push shows a notification, and a click on it opens the message", async ({ api, person }) => {
  const room = await api.room();
  const [ali, account] = [await api.account(), await api.account()];
  const { seq } = await api.post(ali, room, "what was pushed");
  const bo = await person();
  await allows(bo);
  await bo.signsIn(account);
  await turnsOn(bo);
  await isPrepared(bo);
  const notice = {
    kind: "mention",
    room: { id: room.id, name: room.name },
    from: ali.username,
    text: "what was pushed",
    url: `/r/${room.id}/${seq}`,
    tag: `room:${room.id}`,
    pos: 1_000_000,
  };
  await delivers(bo, notice);
  await expect
    .poll(() => shownTo(bo))
    .toEqual({
      [notice.tag]: { title: `${ali.username} mentioned you in ${room.name}`, body: "what was pushed" },
    });
  // The open app has shown this one already, so it stays as it is.
  await delivers(bo, notice);
  await delivers(bo, {
    ...notice,
    kind: "direct",
    room: null,
    url: "/me/direct/1",
    tag: "direct:1",
    from: null,
    text: null,
  });
  await expect.poll(async () => (await shownTo(bo))["direct:1"]?.title).toBe("New private message");
  expect((await shownTo(bo))[notice.tag]?.title).toBe(`${ali.username} mentioned you in ${room.name}`);

  const worker = await workerOf(bo);
  await worker.evaluate(async (tag) => {
    // The types of a page, not of a worker, are known here.
    // biome-ignore lint/suspicious/noExplicitAny: see above
    const scope = globalThis as any;
    const [notification] = await scope.registration.getNotifications({ tag });
    const click = new scope.NotificationEvent("notificationclick", { notification });
    // Only the browser's own events may be prolonged.
    Object.defineProperty(click, "waitUntil", { value: () => {} });
    scope.dispatchEvent(click);
  }, notice.tag);
  await bo.sees("what was pushed");
  await expect(bo.page).toHaveURL(new RegExp(`/r/${room.id}/${seq}`));
  await expect.poll(async () => Object.keys(await shownTo(bo))).toEqual(["direct:1"]);
});
