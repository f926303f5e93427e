// No message takes up too much of the screen, whatever its text is.

import type { Page } from "@playwright/test";
import { expect, test } from "./person";

const LINES = `tower${"\nx".repeat(1_990)}`;
const ZALGO = `Z${"\u0301".repeat(40)}${"\u0323".repeat(40)}algo`;

const height = (page: Page, text: string) =>
  page
    .getByRole("article")
    .filter({ hasText: text })
    .evaluate((article) => article.getBoundingClientRect().height);

for (const viewport of [
  { width: 1280, height: 720 },
  { width: 390, height: 844 },
]) {
  test(`a message of 2,000 lines is folded, at ${viewport.width} px`, async ({ api, person }) => {
    const room = await api.room();
    const other = await api.account();
    for (let n = 1; n <= 30; n++) await api.post(other, room, `before ${n}`);
    await api.post(other, room, LINES);
    for (let n = 1; n <= 5; n++) await api.post(other, room, `after ${n}`);
    const reader = await person();
    const { page } = reader;
    await page.setViewportSize(viewport);
    await reader.opens(room);
    await reader.sees("after 5");

    const more = page.getByRole("button", { name: "Show more" });
    await expect(more).toHaveAttribute("aria-expanded", "false");
    expect(await height(page, "tower")).toBeLessThan(viewport.height);
    // Folded rows keep their height, so scrolling past them and back ends at the starting position.
    const places: number[] = [];
    for (const by of [-1500, 1500, -1500, 1500]) {
      await reader.log.evaluate((log, delta) => log.scrollBy(0, delta), by);
      await reader.isStill();
      places.push(await reader.log.evaluate((log) => log.scrollHeight));
    }
    expect(new Set(places.slice(2)).size).toBe(1);

    // It unfolds downwards, and folding it scrolls back to its beginning.
    await more.scrollIntoViewIfNeeded();
    const top = await reader.message("tower").evaluate((article) => article.getBoundingClientRect().top);
    await more.focus();
    await page.keyboard.press("Enter");
    const less = page.getByRole("button", { name: "Show less" });
    await expect(less).toBeFocused();
    await expect.poll(() => height(page, "tower")).toBeGreaterThan(10_000);
    await reader.isStill();
    const opened = await reader.message("tower").evaluate((article) => article.getBoundingClientRect().top);
    expect(Math.abs(opened - top)).toBeLessThan(2);
    await api.post(other, room, "news");
    await reader.isStill();
    expect(
      Math.abs((await reader.message("tower").evaluate((a) => a.getBoundingClientRect().top)) - top),
    ).toBeLessThan(2);

    // An unfolded message stays unfolded while it is scrolled out of the page and back. One that was chosen by a key stays
    // in the page, so another is chosen first.
    await page.keyboard.press("ArrowUp");
    await reader.log.evaluate((log) => log.scrollTo(0, 0));
    await expect(less).toHaveCount(0);
    await page.getByRole("button", { name: "1 new message" }).click();
    await less.scrollIntoViewIfNeeded();
    await less.click();
    await expect(more).toHaveAttribute("aria-expanded", "false");
    await expect(reader.message("tower")).toBeInViewport();
    await expect(reader.log).toContainText("after 1");
  });
}

test("a long private message is folded too, and one of twenty lines is not", async ({ api, person }) => {
  const member = await api.account();
  const admin = await api.admin();
  const lines = (count: number, word: string) =>
    Array.from({ length: count }, (_, at) => `${word}${at}`).join("\n");
  for (const body of [lines(300, "long"), lines(18, "short")]) {
    await api.send("POST", "/direct-messages", { recipient_id: member.id, body }, admin);
  }
  const reader = await person();
  await reader.signsIn(member);
  await reader.goesTo(`/dm/${admin.id}`);
  await reader.sees("short17");
  await expect(reader.message("long0").getByRole("button", { name: "Show more" })).toBeVisible();
  await expect(reader.message("short0").getByRole("button", { name: "Show more" })).toHaveCount(0);
});

test("a focused link inside a folded message unfolds it", async ({ api, person }) => {
  const room = await api.room();
  const other = await api.account();
  await api.post(other, room, `${"word\n".repeat(100)}https://example.org/deep`);
  const reader = await person();
  await reader.opens(room);
  await expect(reader.page.getByRole("button", { name: "Show more" })).toBeVisible();
  await reader.page.getByRole("link", { name: "https://example.org/deep" }).focus();
  await expect(reader.page.getByRole("button", { name: "Show less" })).toBeVisible();
  await expect(reader.page.getByRole("link", { name: "https://example.org/deep" })).toBeInViewport();
});

test("combining marks stay within their own row", async ({ api, person }) => {
  const room = await api.room();
  const other = await api.account();
  await api.post(other, room, "a row above");
  await api.post(other, room, ZALGO);
  await api.post(other, room, "a row below");
  const reader = await person();
  const { page } = reader;
  await reader.opens(room);
  await reader.sees("a row below");
  const picture = async (text: string) => {
    const box = await reader.message(text).locator(".prose-chat").boundingBox();
    return (await page.screenshot({ clip: box ?? { x: 0, y: 0, width: 1, height: 1 } })).toString("base64");
  };
  /** Returns whether the neighbours look different from a room without the stacked marks. */
  const isCovered = async () => {
    const neighbours = async () => [await picture("a row above"), await picture("a row below")].join();
    const show = (visibility: string) =>
      reader
        .message(ZALGO)
        .locator(".prose-chat")
        .evaluate((text: HTMLElement, to) => {
          text.style.visibility = to;
        }, visibility);
    const before = await neighbours();
    await show("hidden");
    const without = await neighbours();
    await show("visible");
    return before !== without;
  };
  await page.mouse.move(0, 0);
  // A font that loads between two pictures would change them.
  await page.evaluate(() => document.fonts.ready);
  await reader.isStill();
  await expect.poll(isCovered).toBe(false);
  // Not every machine's fonts stack the marks. A shadow reaches the neighbours with any font, unless it is clipped.
  await page.addStyleTag({ content: ".prose-chat { text-shadow: 0 -1.5em, 0 -2.5em, 0 1.5em, 0 2.5em; }" });
  await expect.poll(isCovered).toBe(false);
  await page.addStyleTag({ content: ".prose-chat { overflow: visible !important; }" });
  await expect.poll(isCovered).toBe(true);
});
