// Replies: a quote above the answer that leads to the original, and follows it.

import AxeBuilder from "@axe-core/playwright";
import type { Account, Api, Room } from "./api";
import { expect, type Person, test } from "./person";

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

async function seed(api: Api, author: Account, room: Room, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) await api.post(author, room, `line ${n}.`);
}

const isAccessible = async ({ page }: Person) =>
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

for (const [size, viewport] of Object.entries(SIZES)) {
  test(`two people: a reply shows its original, and leads there and back, ${size}`, async ({
    api,
    person,
  }) => {
    const room = await api.room();
    const author = await api.account();
    await seed(api, author, room, 90);
    const [ali, zoe] = [await person(), await person()];
    for (const someone of [ali, zoe]) await someone.page.setViewportSize(viewport);
    await zoe.opens(room);
    await ali.signsIn(await api.account());
    await ali.goesTo(`/r/${room.id}/10`);
    await ali.isLive();
    await ali.sees("line 10.");

    const original = ali.message("line 10.");
    await original.click();
    await original.getByRole("button", { name: "Reply", exact: true }).click();
    await expect(ali.field).toBeFocused();
    const bar = ali.page.getByRole("note").filter({ hasText: "Replying to" });
    await expect(bar).toContainText(`Replying to ${author.username}: line 10.`);
    await ali.page.keyboard.type("an answer");
    await isAccessible(ali);
    // Kept like the text.
    await ali.goesTo(`/r/${room.id}/10`);
    await expect(bar).toContainText("line 10.");
    await expect(ali.field).toHaveValue("an answer");
    await ali.field.press("Control+Enter");
    await expect(bar).toHaveCount(0);
    await ali.seesSent("an answer");

    await zoe.sees("an answer");
    const quote = zoe.message("an answer").getByRole("button", { name: /^In reply to/ });
    await expect(quote).toHaveAccessibleName(`In reply to ${author.username}: line 10.`);
    await isAccessible(zoe);
    await quote.click();
    await expect(zoe.message("line 10.").last()).toBeInViewport();
    await isAccessible(zoe);
    await zoe.page.getByRole("button", { name: "Back to where you were" }).click();
    await expect(zoe.message("an answer")).toBeInViewport();

    const [{ id }] = (await api.send("GET", `/messages?room_id=${room.id}&after=9&limit=1`)).messages;
    await api.send("PATCH", `/messages/${id}`, { body: "changed" }, author);
    await expect(quote).toHaveAccessibleName(`In reply to ${author.username}: changed`);
    await api.send("DELETE", `/messages/${id}`, undefined, author);
    await expect(quote).toHaveAccessibleName(/: Original message was deleted$/);
    await zoe.page.reload();
    await expect(quote).toHaveAccessibleName(/: Original message was deleted$/);
  });
}

test("R replies to the message that has the focus, Escape cancels, and a guest is invited", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const author = await api.account();
  await seed(api, author, room, 3);
  const someone = await person();
  const { page } = someone;
  await someone.opens(room);
  await someone.message("line 2.").hover();
  await someone.message("line 2.").getByRole("button", { name: "Reply", exact: true }).click();
  const invitation = page.getByRole("dialog", { name: "Join the conversation" });
  await expect(invitation.getByRole("link", { name: "Sign up" })).toBeVisible();
  await isAccessible(someone);
  await page.keyboard.press("Escape");
  await expect(invitation).toHaveCount(0);

  await someone.signsIn(await api.account());
  await someone.opens(room);
  await expect(someone.field).toBeFocused();
  await someone.message("line 2.").click();
  await page.keyboard.press("r");
  await expect(someone.field).toBeFocused();
  await expect(someone.field).toHaveValue("");
  const bar = page.getByRole("note").filter({ hasText: "Replying to" });
  await expect(bar).toContainText("line 2.");
  await page.keyboard.type("kept");
  await page.keyboard.press("Escape");
  await expect(bar).toHaveCount(0);
  await expect(someone.field).toHaveValue("kept");
});
