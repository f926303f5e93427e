// Mentions: `@` offers people, the field shows their names, and the message shows chips.

import AxeBuilder from "@axe-core/playwright";
import { expect, type Person, test } from "./person";

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const isAccessible = async ({ page }: Person) =>
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

for (const [size, viewport] of Object.entries(SIZES)) {
  test(`two people: one mentions the other, and edits the message, ${size}`, async ({ api, person }) => {
    const room = await api.room();
    const [one, other] = [await api.account(), await api.account()];
    await api.post(other, room, "hello");
    const [ali, zoe] = [await person(), await person()];
    for (const someone of [ali, zoe]) await someone.page.setViewportSize(viewport);
    await ali.signsIn(one);
    await zoe.signsIn(other);
    for (const someone of [ali, zoe]) await someone.opens(room);

    await ali.field.click();
    await ali.page.keyboard.type("ask @");
    const list = ali.page.getByRole("listbox", { name: "People to mention" });
    const option = list.getByRole("option", { name: other.username });
    await expect(option).toHaveAttribute("aria-selected", "true");
    await isAccessible(ali);
    await ali.page.keyboard.press("Enter");
    await expect(list).toHaveCount(0);
    await expect(ali.field).toHaveValue(`ask @${other.username} `);
    await ali.page.keyboard.type("about it");
    await ali.field.press("Control+Enter");
    const text = `ask @${other.username} about it`;
    await ali.seesSent(text);
    await zoe.sees(text);
    await expect(zoe.message(text).locator("[data-mention=reader]")).toHaveText(`@${other.username}`);
    await expect(ali.message(text).locator("[data-mention=other]")).toHaveText(`@${other.username}`);
    await isAccessible(zoe);
    const [{ body }] = (await api.send("GET", `/messages?room_id=${room.id}&limit=1`)).messages;
    expect(body).toBe(`ask @[user:${other.id}] about it`);

    await ali.message(text).click();
    await ali.message(text).getByRole("button", { name: "Edit message" }).click();
    const editor = ali.page.getByRole("textbox", { name: "Edit message" });
    await expect(editor).toHaveValue(text);
    await ali.page.keyboard.type(", please");
    await ali.page.getByRole("button", { name: "Save" }).click();
    await zoe.sees(`${text}, please`);
    await expect(zoe.message(text).locator("[data-mention=reader]")).toBeVisible();

    // The quote of a message with a mention is readable.
    await zoe.message(text).click();
    await zoe.message(text).getByRole("button", { name: "Reply", exact: true }).click();
    await zoe.page.keyboard.type("done");
    await zoe.field.press("Control+Enter");
    await expect(
      ali.message("done").getByRole("button", { name: `In reply to ${one.username}: ${text}, please` }),
    ).toBeVisible();
  });
}
