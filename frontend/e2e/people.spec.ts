// People in a room: who is here, who types, who is an admin, and who reacted.

import AxeBuilder from "@axe-core/playwright";
import type { Account } from "./api";
import { expect, type Person, test } from "./person";

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const isAccessible = async ({ page }: Person) =>
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

/** The height of the page's parts, which typing must not change. */
const layoutOf = ({ page }: Person) =>
  page.evaluate(() => document.querySelector("[role=log]")?.getBoundingClientRect().toJSON());

for (const [size, viewport] of Object.entries(SIZES)) {
  test(`readers see who types, until the message comes, ${size}`, async ({ api, person }) => {
    const room = await api.room();
    const accounts = [await api.account(), await api.account(), await api.account()] as const;
    const [ali, zoe, guest] = [await person(), await person(), await person()];
    for (const someone of [ali, zoe, guest]) await someone.page.setViewportSize(viewport);
    await ali.signsIn(accounts[0]);
    await zoe.signsIn(accounts[1]);
    for (const someone of [ali, zoe, guest]) await someone.opens(room);
    await expect(ali.page.getByText("2 people and 1 guest here")).toBeVisible();
    const typing = ({ page }: Person) => page.getByText(/ (is|are) typing…$/);
    const before = await layoutOf(guest);
    const [first, second] = accounts.map(({ username }) => username);

    /** Types on until the readers see it: on a busy machine it may be over before they were looked at. */
    const isSeen = (text: string | RegExp, others: readonly Account[] = []) =>
      expect(async () => {
        await ali.field.pressSequentially("o");
        for (const other of others) await api.send("PUT", `/rooms/${room.id}/typing`, undefined, other);
        const readers = others.length === 0 ? [zoe, guest] : [guest];
        await Promise.all(
          readers.map((reader) => expect(typing(reader)).toHaveText(text, { timeout: 2_000 })),
        );
      }).toPass({ timeout: 60_000 });
    await ali.field.pressSequentially("hell");
    await isSeen(`${first} is typing…`);
    expect(await layoutOf(guest)).toEqual(before);
    for (const reader of [zoe, guest]) await isAccessible(reader);
    await expect(typing(ali)).toHaveCount(0);
    await isSeen(new RegExp(`^(${first} and ${second}|${second} and ${first}) are typing…$`), [accounts[1]]);
    await isSeen("Several people are typing…", accounts.slice(1));
    await ali.field.press("Control+Enter");
    await guest.sees("hello");
    await expect(typing(guest)).toHaveCount(0, { timeout: 10_000 });
  });

  test(`a command, an edit and an empty field tell nobody, ${size}`, async ({ api, person }) => {
    const room = await api.room();
    const account = await api.account();
    const [ali, guest] = [await person(), await person()];
    for (const someone of [ali, guest]) await someone.page.setViewportSize(viewport);
    await ali.signsIn(account);
    const asked: string[] = [];
    ali.page.on("request", (request) => {
      if (request.url().endsWith("/typing")) asked.push(request.method());
    });
    for (const someone of [ali, guest]) await someone.opens(room);
    await expect(ali.page.getByText("1 person and 1 guest here")).toBeVisible();
    await api.post(account, room, "to be edited");
    await ali.sees("to be edited");
    await ali.field.pressSequentially("/shrug");
    await ali.field.fill("");
    await ali.field.press("ArrowUp");
    await ali.page.getByRole("textbox", { name: "Edit message" }).pressSequentially(" now");
    await ali.page.keyboard.press("Escape");
    expect(asked).toEqual([]);
    await ali.field.press("w");
    await expect.poll(() => asked).toEqual(["PUT"]);
  });

  test(`the number in the header opens the list of who is here, ${size}`, async ({ api, person }) => {
    const room = await api.room();
    const [admin, account] = [await api.admin(), await api.account()];
    const [ada, ali, guest] = [await person(), await person(), await person()];
    for (const someone of [ada, ali, guest]) await someone.page.setViewportSize(viewport);
    await ada.signsIn(admin);
    await ali.signsIn(account);
    for (const someone of [ada, ali, guest]) await someone.opens(room);

    const list = ({ page }: Person) =>
      page.getByRole(size === "phone" ? "dialog" : "complementary", { name: "Who is here" });
    const button = guest.page.getByRole("button", { name: "2 people and 1 guest here" });
    await expect(button).toBeVisible();
    const { x = 0, y = 0, height = 0 } = (await button.boundingBox()) ?? {};
    // A finger needs more than the line of text.
    if (size === "phone") await guest.page.mouse.click(x + 20, y + height + 8);
    else await button.click();
    const admins = list(guest).getByRole("region", { name: "Admins · 1" });
    await expect(admins.getByRole("listitem")).toHaveText(/admin/);
    const online = list(guest).getByRole("region", { name: "Online · 1" });
    await expect(online.getByRole("listitem")).toHaveText(new RegExp(account.username));
    await expect(list(guest).getByText("+ 1 guest")).toBeVisible();
    await expect(list(guest).getByRole("link")).toHaveCount(0);
    await isAccessible(guest);

    // It follows those who leave.
    await ali.goesTo("/settings");
    await expect(online).toHaveCount(0, { timeout: 20_000 });
    await guest.page.keyboard.press("Escape");
    await expect(list(guest)).toHaveCount(0);
    await expect(guest.page.getByRole("button", { name: /here$/ })).toBeFocused();

    await ali.opens(room);
    await ada.page.keyboard.press("Control+Shift+O");
    await list(ada)
      .getByRole("link", { name: `Write privately to ${account.username}` })
      .click();
    await expect(ada.page).toHaveURL(new RegExp(`/dm/${account.id}$`));
    await expect(list(ada)).toHaveCount(0);
  });

  test(`admins have a shield, and reactions have names, ${size}`, async ({ api, person }) => {
    const room = await api.room();
    const [admin, one, other] = [await api.admin(), await api.account(), await api.account()];
    const { id } = await api.post(admin, room, "welcome");
    await api.post(one, room, "thanks");
    const reaction = (emoji: string) => `/messages/${id}/reactions/${emoji}`;
    for (const account of [one, other]) await api.send("PUT", reaction("👍"), undefined, account);
    await api.send("PUT", reaction("🎉"), undefined, other);
    const ali = await person();
    await ali.page.setViewportSize(viewport);
    await ali.signsIn(one);
    await ali.opens(room);
    await expect(ali.message("welcome").getByTitle("Admin")).toBeVisible();
    await expect(ali.message("thanks").getByTitle("Admin")).toHaveCount(0);

    const pill = ali.message("welcome").getByRole("button", { name: "👍 2, you reacted" });
    if (size === "desktop") {
      await pill.hover();
      await expect(ali.page.getByRole("tooltip")).toHaveText(`You and ${other.username}`);
      await isAccessible(ali);
      await ali.page.mouse.move(0, 0);
      await expect(ali.page.getByRole("tooltip")).toHaveCount(0);
    }
    await ali.message("welcome").click();
    await ali.message("welcome").getByRole("button", { name: "More actions" }).click();
    await ali.page.getByRole("menuitem", { name: "Who reacted" }).click();
    const sheet = ali.page.getByRole("dialog", { name: "Reactions" });
    await expect(sheet.getByRole("region", { name: "👍 2" }).getByRole("listitem")).toHaveCount(2);
    await expect(sheet.getByRole("region", { name: "🎉 1" }).getByRole("listitem")).toHaveText(
      other.username,
    );
    await isAccessible(ali);
  });
}
