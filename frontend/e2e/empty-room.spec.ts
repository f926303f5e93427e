// A room without messages says what it is about, and how to begin.

import AxeBuilder from "@axe-core/playwright";
import { expect, type Person, test } from "./person";

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const isAccessible = async ({ page }: Person) =>
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

for (const [size, viewport] of Object.entries(SIZES)) {
  test(`an empty room suggests a first message, in its upper third, ${size}`, async ({ api, person }) => {
    const room = await api.room();
    await api.send("PUT", `/rooms/${room.id}/topic`, { topic: "Apples and pears" }, await api.admin());
    const [member, guest] = [await person(), await person()];
    for (const someone of [member, guest]) await someone.page.setViewportSize(viewport);
    await guest.opens(room);
    await expect(guest.log.getByText("Apples and pears")).toBeVisible();
    await expect(guest.page.getByRole("button", { name: "Copy a link to this room" })).toBeVisible();
    await expect(guest.page.getByRole("button", { name: "Say hello 👋" })).toHaveCount(0);
    await isAccessible(guest);

    await member.signsIn(await api.account());
    await member.opens(room);
    const heading = member.page.getByRole("heading", { name: "No messages yet" });
    const top = (await heading.boundingBox())?.y ?? Number.POSITIVE_INFINITY;
    expect(top).toBeLessThan(viewport.height / 2);
    await member.page.getByRole("button", { name: "Copy a link to this room" }).click();
    await expect(member.page.getByTestId("toast")).toContainText(/link/i);
    await isAccessible(member);
    await member.page.getByRole("button", { name: "Say hello 👋" }).click();
    await expect(member.field).toBeFocused();
    await expect(member.field).toHaveValue("Hello, everyone 👋");
    await member.field.press("Enter");
    await member.seesSent("Hello, everyone 👋");
    await expect(heading).toHaveCount(0);
    await guest.sees("Hello, everyone 👋");
  });
}
