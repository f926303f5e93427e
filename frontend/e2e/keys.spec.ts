// Messages chosen by key, and one complete session by keyboard alone.

import AxeBuilder from "@axe-core/playwright";
import { unique } from "./api";
import { expect, type Person, test } from "./person";

async function press({ page }: Person, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

const isSomewhere = ({ page }: Person) =>
  expect
    .poll(() => page.evaluate(() => document.activeElement?.tagName ?? "BODY"), "the focus is in the page")
    .not.toBe("BODY");

/** The message that says this, without those that quote it. */
const withText = ({ page }: Person, text: string) =>
  page.getByRole("article").filter({ has: page.locator(".prose-chat", { hasText: text }) });

/** The message with this text has the focus, is in view, and is marked by a ring. */
async function isChosen(someone: Person, text: string): Promise<void> {
  const message = withText(someone, text);
  await expect(message).toBeFocused();
  await expect(message).toBeInViewport({ ratio: 1 });
  await expect.poll(() => message.evaluate((row) => getComputedStyle(row).outlineStyle)).toBe("solid");
}

/** Opens the switcher and takes what it finds first. */
async function jumps(someone: Person, query: string): Promise<void> {
  await press(someone, "Control+k");
  await expect(someone.page.getByRole("combobox", { name: /^Jump to/ })).toBeFocused();
  await someone.page.keyboard.type(query);
  await expect(someone.page.getByRole("option", { selected: true })).toContainText(query, {
    ignoreCase: true,
  });
  await press(someone, "Enter");
}

test("a whole session by keyboard alone", async ({ api, person }) => {
  const room = await api.room(unique("Keys"));
  const author = await api.account();
  for (let n = 1; n <= 120; n++) await api.post(author, room, `line ${n}.`);
  const member = await api.account();
  const someone = await person();
  const { page } = someone;
  await someone.goesTo("/");
  await someone.isLive();

  // Signing in, and choosing a room.
  await jumps(someone, "sign in");
  await expect(page.getByLabel("Username")).toBeFocused();
  await page.keyboard.type(member.username);
  await press(someone, "Tab");
  await page.keyboard.type(member.password);
  await press(someone, "Enter");
  await expect(page).not.toHaveURL(/sign-in/);
  await someone.isLive();
  await jumps(someone, room.name);
  await expect(page.getByRole("heading", { name: room.name, level: 1 })).toBeVisible();
  await expect(someone.field).toBeFocused();
  await someone.sees("line 120.");

  // Writing; then to the messages and back.
  await page.keyboard.type("written by key");
  await press(someone, "Enter");
  await someone.seesSent("written by key");
  await press(someone, "Escape");
  await isChosen(someone, "written by key");
  await press(someone, "Escape");
  await expect(someone.field).toBeFocused();
  await press(someone, "Escape", "ArrowUp");
  await isChosen(someone, "line 120.");
  await press(someone, "k", "K");
  await isChosen(someone, "line 118.");
  await press(someone, "j");
  await isChosen(someone, "line 119.");
  await press(someone, "ArrowDown", "ArrowDown");
  await isChosen(someone, "written by key");
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await press(someone, "ArrowDown");
  await expect(someone.field).toBeFocused();

  // Replying, reacting, the menu.
  await press(someone, "Escape", "ArrowUp", "r");
  await expect(someone.field).toBeFocused();
  await page.keyboard.type("an answer");
  await press(someone, "Enter");
  await someone.seesSent("an answer");
  await expect(
    someone.message("an answer").getByRole("button", { name: /^In reply to .*line 120/ }),
  ).toBeVisible();
  // Back to the place where the reader was.
  await press(someone, "Escape");
  await isChosen(someone, "line 120.");
  await press(someone, "+");
  await isChosen(someone, "line 120.");
  await expect(withText(someone, "line 120.").getByRole("button", { name: /^👍 1, you/ })).toBeVisible();
  await press(someone, "Enter");
  await expect(page.getByRole("menuitem").first()).toBeFocused();
  await press(someone, "Escape");
  await isSomewhere(someone);
  await press(someone, "c");
  await expect(page.getByTestId("toast").filter({ hasText: /link/i })).toBeVisible();

  // Editing and deleting one's own message.
  await press(someone, "j");
  await isChosen(someone, "written by key");
  await press(someone, "e");
  await expect(page.getByRole("textbox", { name: "Edit message" })).toBeFocused();
  await page.keyboard.type(", edited");
  await press(someone, "Enter");
  await someone.sees("written by key, edited");
  await isSomewhere(someone);
  await expect(someone.field).toBeFocused();
  await press(someone, "Escape");
  await isChosen(someone, "written by key, edited");
  await press(someone, "Delete");
  const question = page.getByRole("dialog", { name: "Delete this message?" });
  await expect(question).toBeVisible();
  // An action that cannot be undone is not one key away.
  await expect(question.getByRole("button", { name: "Delete message" })).not.toBeFocused();
  while (
    !(await question.getByRole("button", { name: "Delete message" }).evaluate((it) => it.matches(":focus")))
  )
    await press(someone, "Tab");
  await press(someone, "Enter");
  await someone.doesNotSee("written by key, edited");
  await isSomewhere(someone);

  // The ends of the room.
  await press(someone, "k", "Home");
  await isChosen(someone, "line 1.");
  await press(someone, "j");
  await isChosen(someone, "line 2.");
  await press(someone, "End");
  await isChosen(someone, "an answer");
  // Marked as unread; a letter without a meaning goes to the message field.
  await press(someone, "k", "k", "u");
  await expect(page.getByText("Marked as unread from here")).toBeVisible();
  await page.keyboard.type("x");
  await expect(someone.field).toBeFocused();
  await expect(someone.field).toHaveValue("x");
  await press(someone, "Backspace");

  // Searching, and jumping to what was found and back.
  await press(someone, "Control+Shift+f");
  const search = page.locator("[data-search]");
  await expect(search).toBeFocused();
  await page.keyboard.type(`"line 7." in:${room.name.toLowerCase()}`);
  await expect(page.getByRole("option").first()).toContainText("line 7.");
  await press(someone, "ArrowDown", "Enter");
  await expect(someone.message("line 7.").first()).toBeInViewport();
  await expect(search).toBeFocused();
  await press(someone, "Escape");
  await expect(search).toHaveCount(0);
  await isSomewhere(someone);
  await someone.log.focus();
  await press(someone, "End");
  await expect(someone.message("an answer")).toBeInViewport();

  // The list of keys, and signing out.
  await press(someone, "?");
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(sheet).toContainText("On the chosen message");
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await press(someone, "Escape");
  await isSomewhere(someone);
  await jumps(someone, "sign out");
  await expect(page.getByRole("link", { name: "Join to write" })).toBeVisible();
  await isSomewhere(someone);
});

test("a clicked message is not chosen: letters go to the message field", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  for (let n = 1; n <= 3; n++) await api.post(author, room, `line ${n}.`);
  const someone = await person();
  await someone.signsIn(author);
  await someone.opens(room);
  await someone.message("line 2.").click({ position: { x: 20, y: 8 } });
  await someone.page.keyboard.type("Jeke");
  await expect(someone.field).toHaveValue("Jeke");
  await expect(someone.page.getByRole("textbox", { name: "Edit message" })).toHaveCount(0);
});

test("a guest chooses messages, too, and is invited to join", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  for (let n = 1; n <= 3; n++) await api.post(author, room, `line ${n}.`);
  const guest = await person();
  await guest.opens(room);
  await guest.sees("line 3.");
  await guest.message("line 3.").focus();
  await press(guest, "ArrowUp");
  await isChosen(guest, "line 2.");
  await press(guest, "e", "Delete");
  await isChosen(guest, "line 2.");
  await press(guest, "ArrowDown", "ArrowDown", "ArrowDown");
  await isChosen(guest, "line 3.");
  await press(guest, "r");
  await expect(guest.page.getByRole("dialog", { name: "Join the conversation" })).toBeVisible();
});
