// Links to messages, and archived rooms.

import { expect, test } from "./person";

test("a time stamp leads to its message, and its link can be copied", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  await api.post(author, room, "worth a link");
  const reader = await person();
  await reader.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await reader.opens(room);
  await reader.message("worth a link").getByRole("link").first().click();
  await expect(reader.page).toHaveURL(new RegExp(`/r/.*${room.id}/1$`));
  await reader.message("worth a link").hover();
  await reader.message("worth a link").getByRole("button", { name: "More actions" }).click();
  await reader.page.getByRole("menuitem", { name: "Copy link" }).click();
  await expect(reader.page.getByText("Link copied")).toBeVisible();
  expect(await reader.page.evaluate(() => navigator.clipboard.readText())).toMatch(
    new RegExp(`^http.*/r/.*${room.id}/1$`),
  );
});

test("a link to a deleted or unknown message says so", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  for (let n = 1; n <= 3; n++) await api.post(author, room, `line ${n}`);
  const { id, seq } = await api.post(author, room, "gone soon");
  await api.send("DELETE", `/messages/${id}`, undefined, author);
  const reader = await person();
  await reader.goesTo(`/r/${room.id}/${seq}`);
  await expect(reader.message("This message was deleted.")).toBeInViewport();
  await reader.goesTo(`/r/${room.id}/999`);
  await expect(reader.page.getByText("There is no such message in this room")).toBeVisible();
  await reader.sees("line 3");
});

test("an admin reads an archived room and restores it; nobody else finds it", async ({ api, person }) => {
  const room = await api.room();
  const author = await api.account();
  await api.post(author, room, "kept for later");
  await api.send("POST", `/rooms/${room.id}/archive`, undefined, await api.admin());
  const guest = await person();
  await guest.goesTo(`/r/${room.id}/1`);
  await expect(guest.page.getByRole("heading", { name: "Room not found" })).toBeVisible();
  const admin = await person();
  await admin.signsIn({ username: "admin", password: "admin" });
  await admin.goesTo(`/r/${room.id}`);
  await admin.sees("kept for later");
  await expect(admin.page.getByRole("note").getByText("Archived")).toBeVisible();
  await expect(admin.field).toHaveCount(0);
  await admin.page.getByRole("button", { name: "Restore" }).click();
  await expect(admin.field).toBeVisible();
  await admin.sees("kept for later");
});
