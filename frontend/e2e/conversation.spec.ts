import { unique } from "./api";
import { expect, test } from "./person";

test("a guest can read right away and sees new messages", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  await api.post(author, room, "written before");
  const guest = await person();

  await guest.opens(room);
  await guest.sees("written before");
  await api.post(author, room, "written while open");
  await guest.sees("written while open");
  // No line above a message that arrives while the reader is looking.
  await expect(guest.log.getByText("New", { exact: true })).toHaveCount(0);
  await expect(guest.field).toHaveCount(0);
});

test("the root address takes a guest to a room", async ({ person }) => {
  const guest = await person();
  await guest.goesTo("/");
  await expect(guest.page).toHaveURL(/\/r\//);
  await guest.isLive();
});

test("signing up returns to the same room, and the session survives a reload", async ({ api, person }) => {
  const room = await api.room();
  const newcomer = await person();
  await newcomer.opens(room);

  await newcomer.page.getByRole("main").getByRole("link", { name: "Join to write" }).click();
  await newcomer.page.getByLabel("Username").fill(unique("new"));
  await newcomer.page.getByLabel("Password").fill("a long password");
  await newcomer.page.getByRole("button", { name: "Create account" }).click();
  await expect(newcomer.page).toHaveURL(new RegExp(room.id));

  await newcomer.writes("hello, I am new");
  await newcomer.seesSent("hello, I am new");
  // Twice in a row: a reload must not use up a refresh token.
  await newcomer.page.reload();
  await newcomer.page.reload();
  await newcomer.sees("hello, I am new");
  await expect(newcomer.field).toBeVisible();
});

test("two people see the same messages in the same order, each once", async ({ api, person }) => {
  const room = await api.room();
  const [ali, zoe] = [await person(), await person()];
  await ali.signsIn(await api.account());
  await zoe.signsIn(await api.account());
  await ali.opens(room);
  await zoe.opens(room);

  for (let turn = 1; turn <= 5; turn++) {
    await ali.writes(`ali says ${turn}`);
    await zoe.writes(`zoe says ${turn}`);
  }
  await ali.sees("zoe says 5");
  await zoe.sees("ali says 5");
  await ali.seesSent("ali says 5");
  const kept = await api.bodies(room);
  expect(kept).toHaveLength(10);
  expect(await ali.readsAll()).toEqual(kept);
  expect(await zoe.readsAll()).toEqual(kept);
});

test("readers see an author edit and delete a message live", async ({ api, person }) => {
  const room = await api.room();
  const [author, reader] = [await person(), await person()];
  await author.signsIn(await api.account());
  await author.opens(room);
  await reader.opens(room);
  await author.writes("a tpyo");
  await reader.sees("a tpyo");

  await author.message("a tpyo").hover();
  await author.page.getByRole("button", { name: "Edit message" }).click();
  await author.page.getByRole("textbox", { name: "Edit message" }).fill("no typo");
  await author.page.keyboard.press("Enter");
  await reader.sees("no typo");
  await expect(reader.message("no typo")).toContainText("edited");

  await author.message("no typo").hover();
  await author.page.getByRole("button", { name: "Delete message" }).click();
  await author.page.getByRole("dialog").getByRole("button", { name: "Delete message" }).click();
  await reader.sees("This message was deleted.");
  await reader.doesNotSee("no typo");
});

test("scrolling up loads older pages without a jump or a gap", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  for (let n = 1; n <= 130; n++) await api.post(author, room, `line ${n}`);
  const reader = await person();
  await reader.opens(room);
  await reader.sees("line 130");
  const all = await reader.readsAll();
  expect(all).toEqual(Array.from({ length: 130 }, (_, at) => `line ${at + 1}`));
});

test("new messages do not move a reader who scrolled up; a button leads back to the newest", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const author = await api.account();
  for (let n = 1; n <= 60; n++) await api.post(author, room, `line ${n}`);
  const reader = await person();
  await reader.opens(room);
  await reader.sees("line 60");
  await reader.log.hover();
  await reader.page.mouse.wheel(0, -900);
  await expect(reader.page.getByRole("button", { name: "Jump to newest" })).toBeVisible();

  const before = await reader.isStill();
  await api.post(author, room, "news one");
  await api.post(author, room, "news two");
  const pill = reader.page.getByRole("button", { name: "2 new messages" });
  await expect(pill).toBeVisible();
  expect(await reader.isStill()).toBe(before);
  await pill.click();
  await reader.sees("news two");
  await expect(pill).toHaveCount(0);
});

test("another room shows its unread count until it is opened", async ({ api, person }) => {
  const [here, there] = [await api.room(), await api.room()];
  const author = await api.account();
  const reader = await person();
  await reader.opens(here);
  const entry = reader.page.getByRole("navigation").getByRole("link", { name: there.name });
  await expect(entry).toBeVisible();
  await api.post(author, there, "come over");
  await expect(entry).toContainText("1 unread");
  await entry.click();
  await reader.sees("come over");
  await expect(reader.log.getByText("New", { exact: true })).toBeVisible();
  await expect(entry).not.toContainText("unread");
});

test("tabs of one browser share one stream, and another tab takes over when the leading tab closes", async ({
  api,
  person,
}) => {
  const [room, other] = [await api.room(), await api.room()];
  const author = await api.account();
  const first = await person();
  await first.opens(room);
  const second = await first.opensTab();
  // A visible tab would take the lead from a first tab that does not answer for a second, as on a busy machine.
  await second.page.addInitScript(() => {
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  });
  const streams: string[] = [];
  second.page.on("request", (request) => request.url().includes("/sse?") && streams.push(request.url()));
  await second.opens(other);
  await api.post(author, other, "for the second tab");
  await second.sees("for the second tab");
  expect(streams).toEqual([]);

  await first.page.close();
  await api.post(author, other, "after the first tab closed");
  await second.sees("after the first tab closed");
  expect(streams.length).toBeGreaterThan(0);
});

test("long words, other scripts and markup are displayed safely", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  await api.post(author, room, "w".repeat(3000));
  await api.post(author, room, "مرحبا بالعالم، كيف الحال؟");
  await api.post(author, room, "👩‍👩‍👧‍👦🎉");
  await api.post(
    author,
    room,
    "<img src=x onerror=alert(1)> **bold** [bad](javascript:alert(1)) https://example.org/a",
  );
  await api.post(author, room, "first\nsecond");
  const reader = await person();
  const dialogs: string[] = [];
  reader.page.on("dialog", (dialog) => dialogs.push(dialog.message()));
  await reader.page.setViewportSize({ width: 320, height: 640 });
  await reader.opens(room);
  await reader.sees("first");
  await expect(reader.log.locator("img")).toHaveCount(0);
  await expect(reader.log.locator("strong")).toHaveText("bold");
  await expect(reader.log.locator(".prose-chat").getByRole("link")).toHaveAttribute(
    "href",
    "https://example.org/a",
  );
  expect(await reader.page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
  expect(await reader.log.evaluate((log) => log.scrollWidth - log.clientWidth)).toBe(0);
  expect(dialogs).toEqual([]);
});
