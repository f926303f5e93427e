// A whole session by keyboard alone: no click, and the focus never falls to the body.

import { unique } from "./api";
import { expect, type Person, test } from "./person";

/** Presses keys one after the other. */
async function press({ page }: Person, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

const isSomewhere = ({ page }: Person) =>
  expect
    .poll(() => page.evaluate(() => document.activeElement?.tagName ?? "BODY"), "the focus is in the page")
    .not.toBe("BODY");

/** Opens the switcher, types a few letters, and opens what it finds first. */
async function jumps(someone: Person, query: string, expected: string | RegExp): Promise<void> {
  await press(someone, "Control+k");
  const field = someone.page.getByRole("combobox", { name: "Jump to a room, a person or a command" });
  await expect(field).toBeFocused();
  await someone.page.keyboard.type(query);
  const first = someone.page.getByRole("option", { selected: true });
  await expect(first).toHaveText(expected);
  await press(someone, "Enter");
  await expect(field).toHaveCount(0);
}

test("an admin's session by keyboard alone", async ({ api, person }) => {
  const name = unique("Walk");
  const [first, second] = [await api.room(`${name} 1`), await api.room(`${name} 2`)];
  const author = await api.account();
  const admin = await person();
  const { page } = admin;
  await admin.opens(first);

  // Signing in, which returns to the room.
  await jumps(admin, "sign in", "Sign in");
  await expect(page.getByLabel("Username")).toBeFocused();
  await page.keyboard.type("admin");
  await press(admin, "Tab");
  await page.keyboard.type("admin");
  await press(admin, "Enter");
  await expect(admin.field).toBeFocused();
  await admin.isLive();

  // Walking to the next room and back; the composer has the focus in each.
  await press(admin, "Alt+ArrowDown");
  await expect(page.getByRole("heading", { name: second.name, level: 1 })).toBeVisible();
  await expect(admin.field).toBeFocused();
  await page.keyboard.type("typed in the second room");
  await press(admin, "Enter");
  await admin.seesSent("typed in the second room");
  await press(admin, "Alt+ArrowUp");
  await expect(page.getByRole("heading", { name: first.name, level: 1 })).toBeVisible();
  await isSomewhere(admin);

  // An unread room, wherever it is in the list.
  await api.post(author, second, "news for the admin");
  await jumps(admin, `${name} 2`, new RegExp(`^${second.name}`));
  await admin.sees("news for the admin");
  await isSomewhere(admin);

  // A letter typed anywhere goes to the composer.
  await admin.log.focus();
  await page.keyboard.type("letters");
  await expect(admin.field).toHaveValue("letters");
  await press(admin, "Enter");
  await admin.seesSent("letters");

  // Editing and deleting the last message.
  await press(admin, "ArrowUp");
  await expect(page.getByRole("textbox", { name: "Edit message" })).toBeFocused();
  await page.keyboard.type(", edited");
  await press(admin, "Enter");
  await admin.sees("letters, edited");
  await expect(admin.field).toBeFocused();
  await isSomewhere(admin);

  // The list of keys, from a field and from elsewhere.
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await press(admin, "Control+/");
  await expect(sheet).toBeVisible();
  await press(admin, "Escape");
  await expect(admin.field).toBeFocused();
  await admin.log.focus();
  await press(admin, "?");
  await expect(sheet).toBeVisible();
  await press(admin, "Escape");
  await expect(sheet).toHaveCount(0);
  await isSomewhere(admin);

  // Commands: a theme, a new room.
  await jumps(admin, "dark", "Dark theme");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await isSomewhere(admin);
  await jumps(admin, "new room", "New room");
  const made = unique("Made by keys");
  await expect(page.getByRole("dialog").getByRole("textbox", { name: "Name" })).toBeFocused();
  await page.keyboard.type(made);
  await press(admin, "Enter");
  await expect(page.getByRole("heading", { name: made, level: 1 })).toBeVisible();
  await expect(admin.field).toBeFocused();

  // A person, to whom a private message is written.
  await jumps(admin, author.username, author.username);
  await expect(page.getByRole("heading", { name: author.username, level: 1 })).toBeVisible();
  await expect(admin.field).toBeFocused();
  await page.keyboard.type("hello by keyboard");
  await press(admin, "Enter");
  await admin.seesSent("hello by keyboard");

  // Something half typed: signing out asks whether it should stay.
  await page.keyboard.type("half a sentence");
  await jumps(admin, "sign out", "Sign out");
  await expect(page.getByRole("dialog", { name: "Sign out?" })).toContainText("1 draft");
  await press(admin, "Space", "Enter");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.getByRole("heading", { name: "Your private messages" })).toBeVisible();
  await isSomewhere(admin);
});

test("unread rooms are walked through with Alt+Shift and an arrow", async ({ api, person }) => {
  const name = unique("Unread");
  const [open, quiet, loud] = [
    await api.room(`${name} 1`),
    await api.room(`${name} 2`),
    await api.room(`${name} 3`),
  ];
  const author = await api.account();
  const reader = await person();
  const { page } = reader;
  await reader.opens(open);
  await expect(page.getByRole("link", { name: loud.name })).toBeVisible();
  await api.post(author, loud, "over here");
  await expect(page.getByRole("link", { name: loud.name })).toContainText("unread");
  await press(reader, "Alt+Shift+ArrowDown");
  await reader.sees("over here");
  await press(reader, "Alt+ArrowUp");
  await expect(page.getByRole("heading", { name: quiet.name, level: 1 })).toBeVisible();
  await isSomewhere(reader);
});

test("on a phone the switcher opens from the menu, and a touch chooses", async ({ api, person }) => {
  const room = await api.room(unique("Pocket"));
  const member = await person();
  await member.page.setViewportSize({ width: 390, height: 844 });
  await member.signsIn(await api.account());
  await member.page.getByRole("button", { name: /Rooms and messages/ }).click();
  await member.page.getByRole("button", { name: "Your account" }).click();
  await member.page.getByRole("menuitem", { name: "Jump to…" }).click();
  const field = member.page.getByRole("combobox", { name: /^Jump to/ });
  await expect(field).toBeFocused();
  await field.fill(room.name);
  await member.page.getByRole("option", { name: room.name }).click();
  await expect(member.page.getByRole("heading", { name: room.name, level: 1 })).toBeVisible();
});
