// Accessibility: keyboard access, names for screen readers, contrast in both themes.

import AxeBuilder from "@axe-core/playwright";
import { expect, type Person, test } from "./person";

const ADMIN = { username: "admin", password: "admin" };

async function isAccessible(person: Person): Promise<void> {
  // Animations change contrast while they run.
  await expect
    .poll(() => person.page.evaluate(() => document.getAnimations().map(({ playState }) => playState)))
    .not.toContain("running");
  const { violations } = await new AxeBuilder({ page: person.page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`)).toEqual(
    [],
  );
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing on any screen, ${colorScheme}`, async ({ api, person }) => {
    test.setTimeout(600_000);
    const room = await api.room();
    const empty = await api.room();
    const member = await api.account();
    await api.post(member, room, "hello **there** https://example.org `code`");
    const admin = await person();
    await admin.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });

    await admin.opens(room);
    await isAccessible(admin);
    for (const path of [
      "/sign-in",
      "/sign-up",
      "/settings",
      "/dm",
      "/nowhere",
      "/r/00000000-0000-4000-8000-000000000000",
    ]) {
      await admin.goesTo(path);
      await expect(admin.page.getByRole("heading").first()).toBeVisible();
      await isAccessible(admin);
    }
    await admin.signsIn(ADMIN);
    await admin.opens(empty);
    await isAccessible(admin);
    await admin.opens(room);
    await admin.message("hello").hover();
    await isAccessible(admin);
    await admin.page.keyboard.press("Control+k");
    await expect(admin.page.getByRole("option").first()).toBeVisible();
    await isAccessible(admin);
    await admin.page.keyboard.type("no such thing");
    await expect(admin.page.getByText("Nothing found.")).toBeVisible();
    await isAccessible(admin);
    await admin.page.keyboard.press("Escape");
    await admin.page.keyboard.press("Control+/");
    await expect(admin.page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
    await isAccessible(admin);
    await admin.page.keyboard.press("Escape");
    await admin.field.fill("half a sentence");
    await admin.page.getByRole("button", { name: "Your account" }).click();
    await admin.page.getByRole("menuitem", { name: "Sign out" }).click();
    await expect(admin.page.getByRole("dialog", { name: "Sign out?" })).toBeVisible();
    await isAccessible(admin);
    await admin.page.keyboard.press("Escape");
    await admin.message("hello").hover();
    await admin.page.getByRole("button", { name: "Delete message" }).click();
    await isAccessible(admin);
    for (const path of [
      "/admin/rooms",
      "/admin/rooms?show=archived",
      "/admin/users",
      "/admin/invitations",
      "/admin/audit",
      "/dm",
      "/dm/new",
      `/dm/${member.id}`,
      "/settings",
    ]) {
      await admin.goesTo(path);
      await expect(admin.page.getByRole("heading", { level: 1 })).toBeVisible();
      await isAccessible(admin);
    }
    await admin.page.setViewportSize({ width: 390, height: 844 });
    await admin.opens(room);
    await isAccessible(admin);
    await admin.page.getByRole("button", { name: /Rooms and messages/ }).click();
    await isAccessible(admin);
  });
}

test("signing in, writing, editing, deleting and signing out work by keyboard alone", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const account = await api.account();
  const someone = await person();
  const { page } = someone;
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  /** Presses Tab until an element of this name has the focus; the element must already be there. */
  const tabTo = async (name: RegExp) => {
    for (let step = 0; step < 60; step++) {
      await press("Tab");
      const focused = await page.evaluate(() => {
        const element = document.activeElement;
        return (
          element?.getAttribute("aria-label") || element?.getAttribute("name") || element?.textContent || ""
        );
      });
      if (name.test(focused)) return;
    }
    throw new Error(`Tab never reached ${name}`);
  };

  await someone.opens(room);
  await tabTo(/^Skip to/);
  await press("Enter");
  await tabTo(/^Sign in$/);
  await press("Enter");
  await expect(page.getByLabel("Username")).toBeVisible();
  await tabTo(/^username$/);
  await page.keyboard.type(account.username);
  await press("Tab");
  await page.keyboard.type(account.password);
  await press("Enter");
  await expect(someone.field).toBeFocused();

  await page.keyboard.type("first line");
  await press("Shift+Enter");
  await page.keyboard.type("second line");
  await press("Enter");
  await someone.seesSent("first line");

  await press("ArrowUp");
  await expect(page.getByRole("textbox", { name: "Edit message" })).toBeFocused();
  await press("Control+A");
  await page.keyboard.type("edited by keyboard");
  await press("Enter");
  await someone.sees("edited by keyboard");

  await someone.log.focus();
  await tabTo(/^Delete message$/);
  await press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Delete message" })).toBeFocused();
  await press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await tabTo(/^Delete message$/);
  await press("Enter");
  await someone.sees("This message was deleted.");

  await tabTo(/^Your account$/);
  await press("Enter");
  await expect(page.getByRole("menuitem").first()).toBeFocused();
  await press("ArrowUp", "Enter");
  await expect(page.getByRole("link", { name: "Join to write" })).toBeVisible();
});
