// The keyboard focus is never lost: dialogs focus their first field, and removed elements pass the focus on.

import { unique } from "./api";
import { expect, type Person, test } from "./person";

const ADMIN = { username: "admin", password: "admin" };

/** Accessible name of the focused element; "BODY" if there is none. */
const focused = (person: Person) =>
  person.page.evaluate(() => {
    const element = document.activeElement as HTMLInputElement | null;
    if (!element || element === document.body) return "BODY";
    const label = element.labels?.[0]?.firstChild?.textContent;
    return element.getAttribute("aria-label") ?? label ?? element.textContent ?? element.tagName;
  });

test("the first field of a dialog has the focus, and Enter submits it", async ({ api, person }) => {
  const account = await api.account();
  const room = await api.room();
  const admin = await person();
  const { page } = admin;
  const dialog = page.getByRole("dialog");
  await admin.signsIn(ADMIN);

  await admin.goesTo("/admin/rooms");
  const [first, second] = [unique("Garden"), unique("Orchard")];
  await page.getByRole("button", { name: "New room" }).click();
  await page.keyboard.type(first);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: first, level: 1 })).toBeVisible();

  await admin.goesTo("/admin/rooms");
  await admin.picks("Rename…", first);
  await page.keyboard.type(second);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: `Actions for ${second}` })).toBeFocused();

  await admin.picks("Message retention…", second);
  await expect(dialog.getByRole("combobox")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: `Actions for ${second}` })).toBeFocused();

  // A question without a field, about something that can be undone: its own button has the focus.
  await admin.picks("Archive…", room.name);
  await expect(dialog.getByRole("button", { name: "Archive room" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole("button", { name: `Actions for ${room.name}` })).toBeFocused();

  await admin.goesTo("/admin/users");
  await page.getByLabel("Search people").fill(account.username);
  const act = async (name: string) => {
    await page.getByRole("button", { name: `Actions for ${account.username}` }).click();
    await page.getByRole("menuitem", { name }).click();
  };
  await act("Mute…");
  await page.keyboard.type("too loud");
  await page.keyboard.press("Enter");
  await expect(page.getByText("too loud")).toBeVisible();
  await act("Unmute");
  await expect(dialog.getByRole("button", { name: "Unmute" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByText("too loud")).toHaveCount(0);
  await act("Ban…");
  await page.keyboard.type("enough of it");
  await page.keyboard.press("Enter");
  await expect(page.getByText("enough of it")).toBeVisible();
  await act("Erase…");
  await expect(dialog.getByLabel(`Type ${account.username} to confirm`)).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(dialog).toBeVisible();
  await page.keyboard.press("Escape");

  await admin.goesTo("/admin/invitations");
  await page.getByRole("button", { name: "New invitation" }).click();
  await page.keyboard.type("3");
  await expect(dialog.getByLabel("Number of people")).toHaveValue("3");
  await page.keyboard.press("Enter");
  await expect(dialog.getByLabel("Link")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "New invitation" })).toBeFocused();

  await admin.goesTo("/dm/new");
  await expect(page.getByRole("searchbox", { name: "To" })).toBeFocused();
  await page.keyboard.type(account.username);
  await expect(page.getByRole("searchbox", { name: "To" })).toHaveValue(account.username);
});

test("when an element is removed, the composer or the next row gets the focus", async ({ api, person }) => {
  // Neighbours in the list of rooms, whatever rooms other tests create meanwhile.
  const name = unique("Room");
  const [room, next] = [await api.room(`${name} 1`), await api.room(`${name} 2`)];
  const admin = await person();
  const { page } = admin;
  await admin.signsIn(ADMIN);
  await admin.opens(room);
  for (let n = 1; n <= 3; n++) await admin.writes(`mine ${n}`);
  await admin.seesSent("mine 3");

  // An edit that was cancelled, one that was saved, one whose field was cleared.
  await page.keyboard.press("ArrowUp");
  await expect(page.getByRole("textbox", { name: "Edit message" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(admin.field).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.type(" more");
  await page.keyboard.press("Enter");
  await admin.sees("mine 3 more");
  await expect(admin.field).toBeFocused();

  const remove = async (text: string) => {
    await admin.message(text).hover();
    await admin.message(text).getByRole("button", { name: "Delete message" }).click();
  };
  await remove("mine 1");
  await page.keyboard.press("Enter");
  await expect(admin.message("mine 1").getByRole("button", { name: "Delete message" })).toBeFocused();
  await remove("mine 1");
  await page.getByRole("dialog").getByRole("button", { name: "Delete message" }).click();
  await expect(page.getByText("This message was deleted.")).toBeVisible();
  await expect(admin.field).toBeFocused();

  // A pill that jumps to the newest message, and disappears there.
  const author = await api.account();
  for (let n = 1; n <= 40; n++) await api.post(author, room, `line ${n}`);
  await admin.sees("line 40");
  const jump = page.getByRole("button", { name: "Jump to newest" });
  await admin.log.hover();
  await page.mouse.wheel(0, -900);
  await expect(jump).toBeVisible();
  await jump.focus();
  await page.keyboard.press("Enter");
  await expect(jump).toHaveCount(0);
  await expect(admin.field).toBeFocused();

  // A message refused by the server is moved back to the composer.
  await page.route("**/messages", (route) =>
    route.fulfill({ status: 422, contentType: "application/problem+json", body: '{"status":422}' }),
  );
  await admin.writes("refused");
  await page.getByRole("button", { name: "Take back" }).click();
  await expect(admin.field).toBeFocused();
  await expect(admin.field).toHaveValue("refused");
  await page.unroute("**/messages");

  // A row that is removed from its list.
  await admin.goesTo("/admin/rooms");
  await admin.picks("Archive…", room.name);
  await page.getByRole("dialog").getByRole("button", { name: "Archive room" }).click();
  await expect(page.getByRole("button", { name: `Actions for ${room.name}` })).toHaveCount(0);
  const list = page.getByRole("list", { name: "Active rooms" });
  await expect(list.getByRole("link", { name: next.name })).toBeFocused();
  await page.getByRole("link", { name: /^Archived/ }).click();
  await page.getByRole("button", { name: `Restore ${room.name}` }).click();
  await expect(page.getByRole("button", { name: `Restore ${room.name}` })).toHaveCount(0);
  await expect.poll(() => focused(admin)).not.toBe("BODY");
});

test("signing out, navigating and being signed out keep the focus in the page", async ({ api, person }) => {
  const room = await api.room();
  const account = await api.account();
  const someone = await person();
  const { page } = someone;
  await someone.signsIn(account);
  await someone.opens(room);
  await expect(someone.field).toBeFocused();

  await page.getByRole("link", { name: "All private messages" }).click();
  await expect.poll(() => focused(someone)).not.toBe("BODY");
  await someone.opens(room);
  await expect(someone.field).toBeFocused();
  await api.send("POST", `/users/${account.id}/mute`, { seconds: 600, reason: "loud" }, await api.admin());
  await expect(someone.field).toHaveCount(0);
  await expect.poll(() => focused(someone)).not.toBe("BODY");
  await api.send("POST", `/users/${account.id}/unmute`, undefined, await api.admin());
  await expect(someone.field).toBeVisible();
  await someone.field.focus();
  await api.send("POST", `/rooms/${room.id}/archive`, undefined, await api.admin());
  await expect(page.getByRole("heading", { name: /was archived/ })).toBeVisible();
  await expect.poll(() => focused(someone)).not.toBe("BODY");
  await page.getByRole("button", { name: "Your account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
  await expect.poll(() => focused(someone)).not.toBe("BODY");
});
