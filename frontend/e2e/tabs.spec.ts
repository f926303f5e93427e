import { expect, test } from "./person";

test("with two tabs open, messages written in one arrive once and in order", async ({ api, person }) => {
  const room = await api.room();
  const writer = await person();
  await writer.signsIn(await api.account());
  await writer.opens(room);
  const other = await writer.opensTab();
  await other.opens(room);
  const written: string[] = [];
  for (let n = 1; n <= 30; n++) {
    written.push(`quick ${n}`);
    await writer.writes(`quick ${n}`);
  }
  await expect.poll(() => api.bodies(room)).toEqual(written);

  await writer.page.context().setOffline(true);
  for (let n = 1; n <= 8; n++) {
    written.push(`queued ${n}`);
    await writer.writes(`queued ${n}`);
  }
  await writer.page.context().setOffline(false);
  await expect.poll(() => api.bodies(room)).toEqual(written);
  await other.sees("queued 8");
});

test("unsent messages of a closed tab are sent by the other tab", async ({ api, person }) => {
  const room = await api.room();
  const writer = await person();
  await writer.signsIn(await api.account());
  await writer.opens(room);
  const other = await writer.opensTab();
  await other.opens(room);
  // The other tab already sends what this one has not sent after a second.
  let isClosed = false;
  for (const { page } of [writer, other]) {
    await page.route("**/messages", (route) =>
      route.request().method() === "POST" && !isClosed ? route.abort() : route.fallback(),
    );
  }
  await writer.writes("last words");
  await expect(writer.message("last words")).toHaveAttribute("data-state", "pending");
  await writer.page.close();
  isClosed = true;
  await other.seesSent("last words");
  expect(await api.bodies(room)).toEqual(["last words"]);
});

test("two windows typing in one room never overwrite each other's draft", async ({ api, person }) => {
  const room = await api.room();
  const one = await person();
  await one.signsIn(await api.account());
  await one.opens(room);
  const two = await one.opensTab();
  await two.opens(room);
  await one.field.fill("in the first window");
  await two.field.fill("in the second window");
  await one.field.press("End");
  await one.page.keyboard.type(", and more");
  await one.page.reload();
  await two.page.reload();
  await expect(one.field).toHaveValue("in the first window, and more");
  await expect(two.field).toHaveValue("in the second window");
});

test("without Web Locks, tabs that open and reload at the same time stay signed in", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const account = await api.account();
  const first = await person();
  // No Web Locks, as at a plain-HTTP address of a local network.
  await first.page.context().addInitScript(() => {
    Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
  });
  await first.signsIn(account);
  await first.opens(room);
  const tabs = [first, await first.opensTab(), await first.opensTab()];
  for (let round = 0; round < 3; round++) {
    await Promise.all(tabs.map((tab) => tab.opens(room)));
    for (const tab of tabs) await expect(tab.field).toBeVisible();
  }
  await first.writes("from the first");
  await first.seesSent("from the first");
  await tabs[2]?.sees("from the first");
});

test("an event of a newer release breaks no tab, and a reload is offered", async ({ api, person }) => {
  const room = await api.room();
  const older = await person();
  await older.opens(room);
  const newer = await older.opensTab();
  await newer.opens(room);
  await newer.page.evaluate(() => {
    const channel = new BroadcastChannel("gapless.stream");
    const data = { id: "m", room_id: "r", seq: 1, reactions: [{ emoji: "🌱", count: 1 }] };
    channel.postMessage({ kind: "event", event: { kind: "message.reactions", id: "a.1", data } });
    channel.postMessage({ kind: "event", event: { kind: "message.posted", id: "a.2", data: { v: 2 } } });
    channel.postMessage({ kind: "status", status: "superconducting" });
  });
  await expect(older.page.getByText("A newer version of Gapless is available.")).toBeVisible();
  await api.post(await api.account(), room, "the old tab goes on");
  await older.sees("the old tab goes on");
  await older.page.getByRole("button", { name: "Reload" }).click();
  await older.isLive();
  await expect(older.page.getByText("A newer version of Gapless is available.")).toHaveCount(0);
});

test("when the leading tab is closed, another one takes over", async ({ api, person }) => {
  const room = await api.room();
  const leader = await person();
  await leader.opens(room);
  const follower = await leader.opensTab();
  await follower.opens(room);
  const author = await api.account();
  await leader.page.close();
  await api.post(author, room, "after the leader");
  await expect(follower.message("after the leader")).toBeVisible();
});

// Unit tests check that it takes about a second; two tabs of a busy machine may take turns first.
test("a leading tab that hangs is replaced", async ({ api, person }) => {
  const room = await api.room();
  const leader = await person();
  await leader.opens(room);
  const follower = await leader.opensTab();
  await follower.opens(room);
  const author = await api.account();
  const debugging = await leader.page.context().newCDPSession(leader.page);
  await debugging.send("Debugger.enable");
  await debugging.send("Debugger.pause");
  await api.post(author, room, "while the leader hangs");
  await expect(follower.message("while the leader hangs")).toBeVisible({ timeout: 60_000 });
  await debugging.send("Debugger.resume");
  await api.post(author, room, "after it came back");
  await leader.sees("after it came back");
  await leader.sees("while the leader hangs");
});

test("a token renewal that hangs in one tab does not block the other for long", async ({ api, person }) => {
  const room = await api.room();
  const one = await person();
  await one.signsIn(await api.account());
  await one.opens(room);
  const two = await one.opensTab();
  await two.opens(room);
  let isHanging = false;
  await one.page.route("**/auth/refresh", () => {
    isHanging = true;
  });
  let attempt = 0;
  // The other tab may be the first to need a token, and renew it for both.
  await expect(async () => {
    attempt += 1;
    await one.page.evaluate(() => {
      const kept = JSON.parse(localStorage.getItem("gapless.session") ?? "{}");
      kept.access.renewAt = 0;
      localStorage.setItem("gapless.session", JSON.stringify(kept));
    });
    await one.writes(`hangs for a while ${attempt}`);
    await expect.poll(() => isHanging, { timeout: 10_000 }).toBe(true);
  }).toPass();
  const elsewhere = await api.room();
  await two.opens(elsewhere);
  await two.writes("is not held up");
  await expect(two.message("is not held up")).toHaveAttribute("data-state", "sent");
  await expect(one.message(`hangs for a while ${attempt}`)).toHaveAttribute("data-state", "sent", {
    timeout: 60_000,
  });
});
