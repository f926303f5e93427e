// The landing room, in which newcomers begin, and the switch for search engines.

import AxeBuilder from "@axe-core/playwright";
import { unique } from "./api";
import { expect, test } from "./person";

const ADMIN = { username: "admin", password: "admin" };
const PHONE = { width: 390, height: 844 };

test("an admin chooses the landing room; newcomers begin there, and others go where they were", async ({
  api,
  person,
}) => {
  const [quiet, other] = [await api.room(unique("Aardvark")), await api.room(unique("Zebra"))];
  const admin = await person();
  await admin.signsIn(ADMIN);
  await admin.goesTo("/admin/rooms");
  const star = (name: string) => admin.page.getByRole("button", { name: `Landing room: ${name}` });
  await expect(star("General")).toHaveAttribute("aria-pressed", "true");
  await expect(star(other.name)).toHaveAttribute("aria-pressed", "false");
  await star(other.name).click();
  await expect(star(other.name)).toHaveAttribute("aria-pressed", "true");
  await expect(star("General")).toHaveAttribute("aria-pressed", "false");
  await expect(star(other.name)).toBeFocused();
  expect((await new AxeBuilder({ page: admin.page }).analyze()).violations).toEqual([]);

  const guest = await person();
  await guest.page.setViewportSize(PHONE);
  await guest.goesTo("/");
  await expect(guest.page.getByRole("heading", { name: other.name, level: 1 })).toBeVisible();
  // Somebody who was in a room goes there.
  await guest.opens(quiet);
  await guest.goesTo("/");
  await expect(guest.page.getByRole("heading", { name: quiet.name, level: 1 })).toBeVisible();

  // In the room, by its menu; an undo returns the star to the room before.
  await admin.opens(quiet);
  await admin.picks("Make landing room", quiet.name);
  const toast = admin.page
    .getByTestId("toast")
    .filter({ hasText: `“${quiet.name}” is now the landing room` });
  await toast.getByRole("button", { name: "Undo" }).click();
  await expect(admin.page.getByText("Undone")).toBeVisible();
  const newcomer = await person();
  await newcomer.goesTo("/");
  await expect(newcomer.page.getByRole("heading", { name: other.name, level: 1 })).toBeVisible();

  // An archived landing room leads to the newest message.
  await api.post(await api.admin(), quiet, "the newest message");
  await api.send("POST", `/rooms/${other.id}/archive`, undefined, await api.admin());
  const late = await person();
  await late.goesTo("/");
  await expect(late.page.getByRole("heading", { name: other.name })).toHaveCount(0);
  await expect(late.page.getByRole("log")).toBeVisible();

  await admin.goesTo("/admin/rooms");
  await star("General").click();
  await expect(star("General")).toHaveAttribute("aria-pressed", "true");
  await admin.goesTo("/admin/audit");
  await expect(
    admin.page.getByText(`admin made “${other.name}” the landing room instead of “General”`),
  ).toBeVisible();
});

test("an admin hides a room from search engines, by key, and undoes it", async ({ api, person }) => {
  const room = await api.room(unique("Hidden"));
  const admin = await person();
  const { page } = admin;
  await admin.signsIn(ADMIN);
  await admin.opens(room);
  const menu = page.getByRole("button", { name: `Actions for ${room.name}` });
  await menu.focus();
  await page.keyboard.press("Enter");
  const item = page.getByRole("menuitemcheckbox", { name: "Let search engines list this room" });
  await expect(item).toBeChecked();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowUp");
  await expect(item).toBeFocused();
  await page.keyboard.press("Enter");
  const toast = page.getByTestId("toast").filter({ hasText: "Search engines are asked not to list" });
  await expect(toast).toBeVisible();
  await expect.poll(async () => (await api.send("GET", `/rooms/${room.id}`)).indexable).toBe(false);
  await menu.click();
  await expect(item).not.toBeChecked();
  await page.keyboard.press("Escape");
  await toast.getByRole("button", { name: "Undo" }).click();
  await expect.poll(async () => (await api.send("GET", `/rooms/${room.id}`)).indexable).toBe(true);

  // A member has no menu.
  const member = await person();
  await member.signsIn(await api.account());
  await member.opens(room);
  await expect(member.page.getByRole("button", { name: /^Actions for/ })).toHaveCount(0);
});
