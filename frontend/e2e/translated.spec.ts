// A page under a browser's translator, which replaces all texts with `<font>` elements without the app's knowledge.

import type { Page } from "@playwright/test";
import { unique } from "./api";
import { expect, type Person, test } from "./person";

const ADMIN = { username: "admin", password: "admin" };

/** Translates as Google Translate does: existing texts, and later ones. Lower case stands for the other language. */
function translate(): void {
  const skipped = "script, style, textarea, title, [translate=no], font";
  const replace = (text: Text) => {
    if (!text.data.trim() || !text.parentElement || text.parentElement.closest(skipped)) return;
    const outer = document.createElement("font");
    const inner = document.createElement("font");
    inner.textContent = text.data;
    outer.append(inner);
    text.replaceWith(outer);
  };
  const walk = (node: Node) => {
    const texts: Text[] = [];
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    for (let at: Node | null = walker.currentNode; at; at = walker.nextNode()) {
      if (at instanceof Text) texts.push(at);
    }
    texts.forEach(replace);
  };
  const watch = () => {
    walk(document.body);
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) addedNodes.forEach(walk);
    }).observe(document.body, { childList: true, subtree: true });
  };
  if (document.body) watch();
  else document.addEventListener("DOMContentLoaded", watch);
}

/** Installs a translator in the page of `someone`, and collects the page's errors. */
async function translated(someone: Person): Promise<string[]> {
  const faults: string[] = [];
  someone.page.on("pageerror", (error) => faults.push(error.message));
  someone.page.on("console", (line) => {
    if (line.type() === "error" && /removeChild|insertBefore|NotFoundError/.test(line.text())) {
      faults.push(line.text());
    }
  });
  await someone.page.addInitScript(translate);
  return faults;
}

const isWhole = (page: Page) => expect(page.getByText("Something went wrong")).toHaveCount(0);

test("a reader's page keeps working under a translator", async ({ api, person }) => {
  const [room, other] = [await api.room(), await api.room()];
  const author = await api.account();
  for (let n = 1; n <= 60; n++) await api.post(author, room, `line ${n}`);
  const reader = await person();
  const faults = await translated(reader);
  const { page } = reader;
  await reader.opens(room);
  await reader.sees("line 60");
  await expect(page.getByText("Only you here")).toBeVisible();

  // Presence, unread, the newest message, an edit, a deletion: all updated by the stream.
  const second = await person();
  await second.opens(room);
  await expect(page.getByText("2 guests here")).toBeVisible();
  await second.page.close();
  await expect(page.getByText("Only you here")).toBeVisible();
  const { id } = await api.post(author, room, "**news** https://example.org");
  await reader.sees("news");
  await api.send("PATCH", `/messages/${id}`, { body: "news, edited" }, author);
  await expect(reader.message("news, edited")).toContainText("edited");
  await api.send("DELETE", `/messages/${id}`, undefined, author);
  await reader.sees("This message was deleted.");
  for (let n = 1; n <= 2; n++) {
    await api.post(author, other, `elsewhere ${n}`);
    await expect(page.getByRole("link", { name: other.name })).toContainText(`${n} unread`);
  }
  await reader.log.hover();
  await page.mouse.wheel(0, -900);
  await expect(page.getByRole("button", { name: "Jump to newest" })).toBeVisible();
  await api.post(author, room, "news one");
  await expect(page.getByRole("button", { name: "1 new message" })).toBeVisible();
  await api.post(author, room, "news two");
  await page.getByRole("button", { name: "2 new messages" }).click();
  await reader.sees("news two");

  await page.context().setOffline(true);
  await expect(page.getByText("You are offline.")).toBeVisible();
  await page.context().setOffline(false);
  await expect(page.getByText("You are offline.")).toHaveCount(0);
  await page.getByRole("link", { name: other.name }).click();
  await reader.sees("elsewhere 2");
  await api.send("PATCH", `/rooms/${other.id}`, { name: `${other.name} two` }, await api.admin());
  await expect(page.getByRole("heading", { name: `${other.name} two`, level: 1 })).toBeVisible();
  await api.send("POST", `/rooms/${other.id}/archive`, undefined, await api.admin());
  await expect(page.getByRole("heading", { name: /was archived/ })).toBeVisible();
  await page.getByRole("link", { name: "Sign in" }).first().click();
  await page.getByLabel("Username").fill("nobody-there");
  await page.getByLabel("Password").fill("wrong password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByRole("link", { name: /as a guest/ }).click();
  await isWhole(page);
  expect(faults).toEqual([]);
});

test("a member's and an admin's pages keep working under a translator", async ({ api, person }) => {
  const room = await api.room();
  const member = await api.account();
  const bystander = await api.account();
  const admin = await person();
  const faults = await translated(admin);
  const { page } = admin;
  const dialog = page.getByRole("dialog");
  await admin.signsIn(ADMIN);
  const boss = await api.admin();

  // The list of conversations: author of the last message, and unread marks.
  await api.send("POST", "/direct-messages", { recipient_id: member.id, body: "from the admin" }, boss);
  await page.getByRole("link", { name: "All private messages" }).click();
  const entry = page.getByRole("main").getByRole("link", { name: member.username });
  await expect(entry).toContainText("You: from the admin");
  await page.getByRole("link", { name: "New message" }).click();
  await page.getByRole("searchbox", { name: "To" }).fill(member.username);
  await page.getByRole("checkbox", { name: member.username }).check();
  await expect(page.getByRole("button", { name: "Send privately" })).toBeVisible();
  await page.getByRole("searchbox", { name: "To" }).fill(bystander.username);
  await page.getByRole("checkbox", { name: bystander.username }).check();
  await page.getByRole("textbox", { name: "Message" }).fill("for both");
  await page.getByRole("button", { name: "Send to 2 people" }).click();
  await expect(entry).toContainText("You: for both");
  await entry.click();
  await admin.writes("a third");
  await admin.seesSent("a third");

  await admin.opens(room);
  await admin.writes("mine");
  await admin.seesSent("mine");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Escape");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.type(", edited");
  await page.keyboard.press("Enter");
  await admin.sees("mine, edited");
  await admin.field.fill("x".repeat(3_600));
  await expect(page.getByText("3600 / 4000")).toBeVisible();
  await admin.field.fill("x".repeat(3_700));
  await expect(page.getByText("3700 / 4000")).toBeVisible();
  await admin.field.fill("");
  await page.context().setOffline(true);
  await admin.writes("kept here");
  await page.context().setOffline(false);
  await admin.seesSent("kept here");
  await page.route("**/messages", (route) =>
    route.fulfill({ status: 422, contentType: "application/problem+json", body: '{"status":422}' }),
  );
  await admin.writes("refused");
  await page.getByRole("button", { name: "Take back" }).click();
  await page.unroute("**/messages");
  await admin.field.fill("");

  await page.getByRole("link", { name: "Administration" }).click();
  const first = unique("Garden");
  await page.getByRole("button", { name: "New room" }).click();
  await dialog.getByRole("textbox", { name: "Name" }).fill(room.name);
  await dialog.getByRole("button", { name: "Create room" }).click();
  await expect(dialog.getByText("Another active room has this name.")).toBeVisible();
  await dialog.getByRole("textbox", { name: "Name" }).fill(first);
  await dialog.getByRole("button", { name: "Create room" }).click();
  await expect(page.getByRole("heading", { name: first, level: 1 })).toBeVisible();
  await page.getByRole("link", { name: "Administration" }).click();
  await admin.picks("Message retention…", first);
  await dialog.getByRole("combobox").selectOption("7");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByText("kept for 7 days")).toBeVisible();
  await admin.picks("Message retention…", first);
  await dialog.getByRole("combobox").selectOption({ index: 0 });
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("kept for 7 days")).toHaveCount(0);
  await admin.picks("Archive…", first);
  await dialog.getByRole("button", { name: "Archive room" }).click();
  await page.getByRole("link", { name: /^Archived/ }).click();
  await page.getByRole("button", { name: `Restore ${first}` }).click();
  await expect(page.getByRole("button", { name: `Restore ${first}` })).toHaveCount(0);

  await page.getByRole("link", { name: "People" }).first().click();
  await page.getByLabel("Search people").fill(member.username);
  const act = async (name: string) => {
    await page.getByRole("button", { name: `Actions for ${member.username}` }).click();
    await page.getByRole("menuitem", { name }).click();
  };
  await act("Mute…");
  await dialog.getByLabel("Reason").fill("too loud");
  await dialog.getByRole("button", { name: "Mute" }).click();
  await expect(page.getByText(/Muted until/)).toBeVisible();
  await act("Unmute");
  await dialog.getByRole("button", { name: "Unmute" }).click();
  await expect(page.getByText(/Muted until/)).toHaveCount(0);
  await act("Make admin");
  await dialog.getByRole("button", { name: "Make admin" }).click();
  await expect(page.getByRole("main").getByText("Admin", { exact: true })).toBeVisible();
  await page.getByRole("link", { name: "Invitations" }).click();
  await page.getByRole("button", { name: "New invitation" }).click();
  await dialog.getByRole("button", { name: "Create invitation" }).click();
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Revoke" }).first().click();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("link", { name: "Audit trail" }).click();
  await expect(page.getByRole("list", { name: "Changes" })).toContainText("too loud");

  await page.getByRole("button", { name: "Your account" }).click();
  await page.getByRole("menuitem", { name: "Settings" }).click();
  await page.getByLabel("Current password").fill("not the password");
  await page.getByLabel("New password").fill("another password");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByText("This is not your current password")).toBeVisible();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await expect(page.getByText("You are browsing as a guest.")).toBeVisible();
  await isWhole(page);
  expect(faults).toEqual([]);
});

test("a mute, its reason and its end are shown under a translator", async ({ api, person }) => {
  const room = await api.room();
  const account = await api.account();
  const admin = await api.admin();
  const member = await person();
  const faults = await translated(member);
  await member.signsIn(account);
  await member.opens(room);
  for (const reason of ["too loud", "still too loud"]) {
    await api.send("POST", `/users/${account.id}/mute`, { seconds: 600, reason }, admin);
    await expect(member.page.getByText(`Reason: “${reason}”`)).toBeVisible();
  }
  await api.send("POST", `/users/${account.id}/unmute`, undefined, admin);
  await expect(member.field).toBeVisible();
  await member.page.getByRole("link", { name: "All private messages" }).click();
  await expect(member.page.getByText("No private messages yet")).toBeVisible();
  await api.send("POST", "/direct-messages", { recipient_id: account.id, body: "hello" }, admin);
  const entry = member.page.getByRole("main").getByRole("link", { name: "admin" });
  await expect(entry).toContainText("New");
  await entry.click();
  await member.sees("hello");
  // It counts as read once it was on the screen for half a second.
  const marks = () => member.page.evaluate(() => Object.values({ ...localStorage }).join());
  await expect.poll(marks).toContain("direct:");
  await member.page.getByRole("link", { name: "All private messages" }).click();
  await expect(entry).not.toContainText("New");
  await api.send("POST", `/users/${account.id}/ban`, { reason: "enough" }, admin);
  await expect(member.page.getByText("You were banned: enough.")).toBeVisible();
  await isWhole(member.page);
  expect(faults).toEqual([]);
});
