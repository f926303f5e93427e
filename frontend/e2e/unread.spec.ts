// Unread messages: news of other rooms, the line at any number of them, and marks.

import type { Account, Api, Room } from "./api";
import { expect, type Person, test } from "./person";

/** Posts messages `from` to `to`, several at a time; their order is that of the numbers. */
async function post(api: Api, author: Account, room: Room, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await api.post(author, room, `line ${n}`);
}

const entryOf = (reader: Person, room: Room) =>
  reader.page.getByRole("navigation", { name: "Rooms and messages" }).getByRole("link", { name: room.name });

const line = (reader: Person) => reader.log.getByText("New", { exact: true });

/** Distance of the line from the top of the log. */
async function fromTop(reader: Person): Promise<number> {
  return ((await line(reader).boundingBox())?.y ?? 0) - ((await reader.log.boundingBox())?.y ?? 0);
}

/** A room with 10 messages that the reader has read, and `unread` more, opened again. */
async function returning(api: Api, person: () => Promise<Person>, unread: number) {
  const [room, other] = [await api.room(), await api.room()];
  const author = await api.account();
  await post(api, author, room, 1, 10);
  const reader = await person();
  await reader.opens(room);
  await reader.sees("line 10");
  await entryOf(reader, other).click();
  await expect(reader.log).toHaveAccessibleName(`Messages in ${other.name}`);
  await post(api, author, room, 11, 10 + unread);
  await expect(entryOf(reader, room)).toContainText("unread");
  return { room, other, author, reader };
}

test("a message in another room shows in the list and in the title", async ({ api, person }) => {
  const [here, there] = [await api.room(), await api.room()];
  const author = await api.account();
  const reader = await person();
  await reader.opens(here);
  await expect(entryOf(reader, there)).toBeVisible();
  await api.post(author, there, "come over");
  await expect(entryOf(reader, there)).toContainText("1 unread");
  // Other tests write in other rooms, which count as well.
  await expect(reader.page).toHaveTitle(new RegExp(`^\\(\\d+\\+?\\) ${here.name} · Gapless$`));
  await entryOf(reader, there).click();
  await reader.sees("come over");
  await expect(entryOf(reader, there)).not.toContainText("unread");
});

for (const unread of [12, 120]) {
  test(`a room with ${unread} unread messages opens at the line`, async ({ api, person }) => {
    const { room, reader, author } = await returning(api, person, unread);
    await entryOf(reader, room).click();
    await expect(line(reader)).toBeInViewport();
    await reader.isStill();
    const isShort = unread === 12;
    if (!isShort) expect(Math.abs((await fromTop(reader)) - 72)).toBeLessThan(20);
    await reader.sees("line 11");
    if (isShort) return;

    // Messages below the visible part are not read yet; jumping over them does not change that.
    const pill = reader.page.getByRole("button", { name: /^Jump to newest \(\d+\)$/ });
    await pill.click();
    await reader.sees(`line ${10 + unread}`);
    await api.post(author, room, "written meanwhile");
    await reader.sees("written meanwhile");
    const jumpUp = reader.page.getByRole("button", { name: /new since/ });
    await expect(jumpUp).toBeVisible();
    await expect(entryOf(reader, room)).toContainText("unread");
    await jumpUp.click();
    await expect(line(reader)).toBeInViewport();
    await reader.sees("line 11");
    await pill.click();
    await reader.page.getByRole("button", { name: "Mark as read" }).click();
    await expect(jumpUp).toHaveCount(0);
    await expect(entryOf(reader, room)).not.toContainText("unread");
  });
}

test("Escape marks the room as read, and Shift+Escape everything, until undone", async ({ api, person }) => {
  const { room, other, author, reader } = await returning(api, person, 60);
  await entryOf(reader, room).click();
  await expect(line(reader)).toBeInViewport();
  await reader.page.keyboard.press("Escape");
  await expect(entryOf(reader, room)).not.toContainText("unread");
  await expect(line(reader)).toHaveCount(0);

  await api.post(author, other, "elsewhere");
  await expect(entryOf(reader, other)).toContainText("1 unread");
  await reader.page.keyboard.press("Shift+Escape");
  await expect(entryOf(reader, other)).not.toContainText("unread");
  await reader.page.getByRole("button", { name: "Undo" }).click();
  await expect(entryOf(reader, other)).toContainText("1 unread");
});

test("messages marked as unread stay so until the room is opened again", async ({ api, person }) => {
  const [room, other] = [await api.room(), await api.room()];
  const author = await api.account();
  await post(api, author, room, 1, 5);
  const reader = await person();
  await reader.opens(room);
  await reader.sees("line 5");
  await reader.message("line 4").click({ modifiers: ["Alt"] });
  await expect(entryOf(reader, room)).toContainText("2 unread");
  await expect(line(reader)).toBeVisible();
  await entryOf(reader, other).click();
  await expect(entryOf(reader, room)).toContainText("2 unread");
  await entryOf(reader, room).click();
  await expect(entryOf(reader, room)).not.toContainText("unread");
});

test("rooms open at the newest message for those who want it", async ({ api, person }) => {
  const { room, reader } = await returning(api, person, 60);
  await reader.page.evaluate(() => localStorage.setItem("gapless.open-rooms", "newest"));
  await reader.opens(room);
  await reader.sees("line 70");
  await expect(reader.page.getByRole("button", { name: /new since|60 new/ })).toBeVisible();
});

test("a hidden tab counts what arrives, and reads nothing", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  await post(api, author, room, 1, 3);
  const reader = await person();
  await reader.opens(room);
  await reader.sees("line 3");
  await reader.page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { get: () => "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await api.post(author, room, "while away");
  await expect(reader.page).toHaveTitle(/^\(\d+\+?\) /);
  await expect(entryOf(reader, room)).toContainText("1 unread");
  await reader.page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { get: () => "visible", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await expect(entryOf(reader, room)).not.toContainText("unread");
});
