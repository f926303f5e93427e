// Reactions: pills below a message, which everybody in the room sees at once.

import AxeBuilder from "@axe-core/playwright";
import { expect, type Person, test } from "./person";

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const isAccessible = async ({ page }: Person) =>
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

for (const [size, viewport] of Object.entries(SIZES)) {
  test(`two people react to a message, and a guest is invited, ${size}`, async ({ api, person }) => {
    const room = await api.room();
    const author = await api.account();
    const [ali, zoe, guest] = [await person(), await person(), await person()];
    for (const someone of [ali, zoe, guest]) await someone.page.setViewportSize(viewport);
    for (const someone of [ali, zoe]) await someone.signsIn(await api.account());
    for (const someone of [ali, zoe, guest]) await someone.opens(room);
    for (let n = 1; n <= 40; n++) await api.post(author, room, `line ${n}.`);
    for (const someone of [ali, zoe, guest]) await someone.sees("line 40.");
    const pill = (someone: Person, name: string) =>
      someone.message("line 40.").getByRole("button", { name, exact: true });

    // From the picker, by search.
    await ali.message("line 40.").click();
    await ali.message("line 40.").getByRole("button", { name: "React", exact: true }).click();
    const picker = ali.page.getByRole("dialog", { name: "Choose a reaction" });
    await expect(picker.getByRole("searchbox", { name: "Search emoji" })).toBeFocused();
    await isAccessible(ali);
    await ali.page.keyboard.type("rocket");
    await ali.page.keyboard.press("Enter");
    await expect(picker).toHaveCount(0);
    await expect(pill(ali, "🚀 1, you reacted")).toBeVisible();
    await expect(pill(zoe, "🚀 1")).toBeVisible();
    // The reader at the end stays there.
    await expect(pill(zoe, "🚀 1")).toBeInViewport({ ratio: 1 });

    await pill(zoe, "🚀 1").click();
    await expect(pill(zoe, "🚀 2, you reacted")).toBeVisible();
    await expect(pill(ali, "🚀 2, you reacted")).toBeVisible();
    await expect(pill(guest, "🚀 2")).toBeVisible();
    await pill(zoe, "🚀 2, you reacted").click();
    await expect(pill(guest, "🚀 1")).toBeVisible();
    await isAccessible(ali);

    // An edit does not lose them, and a reload keeps one's own.
    const [{ id }] = (await api.send("GET", `/messages?room_id=${room.id}&limit=1`)).messages;
    await api.send("PATCH", `/messages/${id}`, { body: "line 40. edited" }, author);
    await ali.sees("line 40. edited");
    await expect(pill(ali, "🚀 1, you reacted")).toBeVisible();
    await ali.goesTo(`/r/${room.id}/40`);
    await expect(pill(ali, "🚀 1, you reacted")).toBeVisible();

    await pill(guest, "🚀 1").click();
    await expect(guest.page.getByRole("dialog", { name: "Join the conversation" })).toBeVisible();
    await guest.page.keyboard.press("Escape");

    // Somebody who reads further up is not moved.
    await zoe.log.evaluate((log) => log.scrollTo(0, 300));
    const before = await zoe.isStill();
    const top = await zoe.message("line 20.").boundingBox();
    await pill(ali, "🚀 1, you reacted").click();
    await expect(pill(guest, "🚀 1")).toHaveCount(0);
    expect(await zoe.isStill()).toBe(before);
    expect((await zoe.message("line 20.").boundingBox())?.y).toBe(top?.y);
  });
}

test("keys react to the message that has the focus, and a refusal is taken back", async ({ api, person }) => {
  const room = await api.room();
  await api.post(await api.account(), room, "hello");
  const someone = await person();
  await someone.signsIn(await api.account());
  await someone.opens(room);
  const pill = (name: string) => someone.message("hello").getByRole("button", { name, exact: true });
  await expect(someone.field).toBeFocused();
  await someone.message("hello").click();
  await someone.page.keyboard.press("+");
  await expect(pill("👍 1, you reacted")).toBeVisible();
  await someone.page.keyboard.press("=");
  await expect(pill("👍 1, you reacted")).toHaveCount(0);
  await expect(someone.field).toHaveValue("");

  await someone.page.route("**/reactions/**", (route) =>
    route.fulfill({
      status: 409,
      contentType: "application/problem+json",
      body: '{"status":409,"detail":"This message has too many reactions."}',
    }),
  );
  await someone.message("hello").hover();
  await someone.message("hello").getByRole("button", { name: "React with 👍" }).click();
  await expect(someone.page.getByTestId("toast")).toContainText("This message has too many reactions.");
  await expect(pill("👍 1, you reacted")).toHaveCount(0);
});
