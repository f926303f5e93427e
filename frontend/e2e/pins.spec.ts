// Pins: an admin keeps messages at hand for everybody in the room.

import AxeBuilder from "@axe-core/playwright";
import { expect, type Person, test } from "./person";

const ADMIN = { username: "admin", password: "admin" };
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const isAccessible = async ({ page }: Person) =>
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

const opener = ({ page }: Person) => page.getByRole("button", { name: /^Pinned messages: / });
const panel = ({ page }: Person) => page.getByRole("dialog", { name: /^Pinned in / });
const mark = (someone: Person, text: string) => someone.message(text).getByRole("img", { name: "Pinned" });

async function choosesFor(someone: Person, text: string, item: string): Promise<void> {
  await someone.message(text).focus();
  await someone.message(text).getByRole("button", { name: "More actions" }).click();
  await someone.page.getByRole("menuitem", { name: item, exact: true }).press("Enter");
}

for (const [size, viewport] of Object.entries(SIZES)) {
  test(`an admin pins, and a guest sees it at once and goes there, ${size}`, async ({ api, person }) => {
    const room = await api.room();
    const author = await api.account();
    for (let n = 1; n <= 70; n++) await api.post(author, room, `line ${n}.`);
    const [admin, guest] = [await person(), await person()];
    for (const someone of [admin, guest]) await someone.page.setViewportSize(viewport);
    await guest.opens(room);
    await expect(opener(guest)).toHaveCount(0);
    await admin.signsIn(ADMIN);
    await admin.goesTo(`/r/${room.id}/70`);
    await admin.isLive();

    await choosesFor(admin, "line 70.", "Pin");
    await expect(admin.page.getByText("Pinned for everyone in this room")).toBeVisible();
    await expect(opener(guest)).toHaveAccessibleName("Pinned messages: 1");
    await expect(mark(guest, "line 70.")).toBeVisible();
    const old = (await api.send("GET", `/messages?room_id=${room.id}&after=2&limit=1`)).messages[0];
    await api.send("PUT", `/messages/${old.id}/pin`, undefined, await api.admin());
    await expect(opener(guest)).toHaveAccessibleName("Pinned messages: 2");
    await isAccessible(guest);

    await opener(guest).click();
    const rows = panel(guest).getByRole("listitem");
    await expect(rows).toContainText(["line 3.", "line 70."]);
    await expect(panel(guest).getByRole("button", { name: /^Unpin/ })).toHaveCount(0);
    await isAccessible(guest);
    // Changes that happen meanwhile are shown at once.
    await api.send("PATCH", `/messages/${old.id}`, { body: "line three." }, author);
    await expect(rows).toContainText(["line three.", "line 70."]);
    await rows.first().getByRole("button", { name: "Go to message" }).click();
    await expect(panel(guest)).toHaveCount(0);
    await expect(guest.message("line three.")).toBeInViewport();
    await expect(mark(guest, "line three.")).toBeVisible();
    // The same once more, from elsewhere.
    await guest.page.getByRole("button", { name: /^Jump to newest/ }).click();
    await expect(guest.message("line 70.")).toBeInViewport();
    await opener(guest).click();
    await rows.first().getByRole("button", { name: "Go to message" }).click();
    await expect(guest.message("line three.")).toBeInViewport();

    // Unpinned in the list, and deleted meanwhile.
    await opener(admin).click();
    await panel(admin)
      .getByRole("button", { name: /^Unpin/ })
      .last()
      .click();
    await expect(opener(guest)).toHaveAccessibleName("Pinned messages: 1");
    await expect(panel(admin).getByRole("listitem")).toHaveCount(1);
    await api.send("DELETE", `/messages/${old.id}`, undefined, author);
    await expect(panel(admin)).toContainText("Nothing is pinned in this room any more.");
    await isAccessible(admin);
    await admin.page.keyboard.press("Escape");
    await expect(opener(guest)).toHaveCount(0);
    await expect(guest.message("This message was deleted.").getByRole("img", { name: "Pinned" })).toHaveCount(
      0,
    );
  });
}

test("offline, refused and archived: pins say what is the matter", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  const posted = [];
  for (let n = 1; n <= 51; n++) posted.push(await api.post(author, room, `line ${n}.`));
  const byAdmin = await api.admin();
  for (const { id } of posted.slice(0, 50)) await api.send("PUT", `/messages/${id}/pin`, undefined, byAdmin);
  const admin = await person();
  await admin.signsIn(ADMIN);
  await admin.goesTo(`/r/${room.id}/51`);
  await admin.isLive();
  await expect(opener(admin)).toHaveAccessibleName("Pinned messages: 50");
  await choosesFor(admin, "line 51.", "Pin");
  const toast = admin.page.getByTestId("toast");
  await expect(toast).toContainText("Could not pin this message");
  await expect(toast).toContainText("This room has 50 pins");

  await admin.page.context().setOffline(true);
  await choosesFor(admin, "line 50.", "Unpin");
  await expect(toast).toContainText("Could not unpin this message");
  await opener(admin).click();
  await expect(panel(admin).getByRole("listitem").first()).toContainText("line 50.");
  await admin.page.keyboard.press("Escape");
  await admin.page.context().setOffline(false);

  // A member cannot pin; an admin reads the pins of an archived room.
  const member = await person();
  await member.signsIn(await api.account());
  await member.opens(room);
  await member.message("line 51.").focus();
  await member.message("line 51.").getByRole("button", { name: "More actions" }).click();
  await expect(member.page.getByRole("menuitem", { name: "Copy link" })).toBeVisible();
  await expect(member.page.getByRole("menuitem", { name: "Pin", exact: true })).toHaveCount(0);
  await api.send("POST", `/rooms/${room.id}/archive`, undefined, byAdmin);
  await expect(member.page.getByRole("heading", { name: /was archived/ })).toBeVisible();
  await admin.goesTo(`/r/${room.id}`);
  await expect(opener(admin)).toHaveAccessibleName("Pinned messages: 50");
  await opener(admin).click();
  await expect(panel(admin).getByRole("listitem")).toHaveCount(50);
  await expect(panel(admin).getByRole("button", { name: /^Unpin/ })).toHaveCount(0);
});
