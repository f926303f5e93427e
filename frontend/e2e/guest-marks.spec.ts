// A guest's read and unread messages stay so when they sign up.

import { unique } from "./api";
import { expect, test } from "./person";

test("a guest signs up: what was unread stays unread, on every device, and the line is where it was", async ({
  api,
  person,
}) => {
  const [read, unread, open] = [
    await api.room(unique("Read")),
    await api.room(unique("Unread")),
    await api.room(unique("Open")),
  ];
  const author = await api.account();
  for (const room of [read, unread]) await api.post(author, room, "before the guest");
  const guest = await person();
  const { page } = guest;
  const entryOf = ({ name }: { name: string }) =>
    page.getByRole("navigation", { name: "Rooms and messages" }).getByRole("link", { name });
  for (const room of [read, unread, open]) await guest.opens(room);
  await expect(entryOf(unread)).not.toContainText("unread");
  for (let n = 1; n <= 3; n++) await api.post(author, unread, `line ${n}.`);
  await expect(entryOf(unread)).toContainText("3 unread");

  await guest.goesTo("/sign-up");
  const username = unique("newcomer");
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill("a long password");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page).not.toHaveURL(/sign-up/, { timeout: 60_000 });
  await guest.isLive();
  await expect(entryOf(unread)).toContainText("3 unread");

  // On another device, where no guest was.
  const device = await person();
  await device.signsIn({ username, password: "a long password" });
  const there = device.page.getByRole("navigation", { name: "Rooms and messages" });
  await expect(there.getByRole("link", { name: unread.name })).toContainText("3 unread");
  await expect(there.getByRole("link", { name: read.name })).not.toContainText("unread");

  await entryOf(unread).click();
  await guest.sees("line 1.");
  await expect(guest.log.getByText("New", { exact: true })).toBeVisible();
  await expect(entryOf(unread)).not.toContainText("unread");
  await expect(there.getByRole("link", { name: unread.name })).not.toContainText("unread");
});

test("a guest signs up in a room with unread messages: the line stays above them", async ({
  api,
  person,
}) => {
  const [room, other] = [await api.room(), await api.room()];
  const author = await api.account();
  await api.post(author, room, "read by the guest.");
  const guest = await person();
  const { page } = guest;
  await guest.opens(room);
  await guest.sees("read by the guest.");
  await guest.opens(other);
  for (let n = 1; n <= 60; n++) await api.post(author, room, `line ${n}.`);

  await page.getByRole("link", { name: room.name }).click();
  await expect(guest.log.getByText("New", { exact: true })).toBeInViewport();
  await page
    .getByRole("link", { name: /Join|Create an account|Sign up/ })
    .first()
    .click();
  await page.getByLabel("Username").fill(unique("newcomer"));
  await page.getByLabel("Password").fill("a long password");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(guest.field).toBeVisible({ timeout: 60_000 });
  await expect(guest.log.getByText("New", { exact: true })).toBeInViewport();
  await guest.isLive();
});
