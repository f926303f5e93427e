// A reader who scrolls up is not pulled back down, whatever the list is doing at that moment.

import type { Api, Room } from "./api";
import { expect, test } from "./person";

/** Creates a room whose rows differ in height, so that the list has to measure them. */
async function uneven(api: Api): Promise<Room> {
  const room = await api.room();
  const author = await api.account();
  for (let n = 1; n <= 100; n++) await api.post(author, room, `line ${n}${"\nand more".repeat((n * 7) % 5)}`);
  return room;
}

/** Turns the wheel, notch by notch, in the first frames in which the newest message is rendered. */
function leaveAtOnce(): void {
  const turn = (log: Element, notches: number) => {
    if (notches === 0) {
      Object.assign(window, { hasLeft: true });
      return;
    }
    log.dispatchEvent(new WheelEvent("wheel", { deltaY: -100, bubbles: true, cancelable: true }));
    log.scrollBy({ top: -100, behavior: "instant" });
    requestAnimationFrame(() => requestAnimationFrame(() => turn(log, notches - 1)));
  };
  const observer = new MutationObserver(() => {
    const log = document.querySelector("[role=log]");
    if (!log?.textContent?.includes("line 100") || log.scrollTop < 500) return;
    observer.disconnect();
    requestAnimationFrame(() => {
      turn(log, 8);
    });
  });
  observer.observe(document, { childList: true, subtree: true, attributes: true });
}

test("scrolling while rows are still being measured is not undone", async ({ api, person }) => {
  const room = await uneven(api);
  for (let visit = 1; visit <= 5; visit++) {
    const reader = await person();
    await reader.page.addInitScript(leaveAtOnce);
    await reader.page.goto(`/r/${room.id}`);
    await reader.page.waitForFunction(() => "hasLeft" in window);
    await reader.isStill();
    const gap = await reader.log.evaluate((log) => log.scrollHeight - log.clientHeight - log.scrollTop);
    // 800 px were scrolled; rows that turn out smaller than estimated take some of them back.
    expect(gap, `visit ${visit}`).toBeGreaterThan(400);
    await expect(reader.page.getByRole("button", { name: "Jump to newest" })).toBeVisible();
  }
});

test("scrolling while new messages arrive is not undone", async ({ api, person }) => {
  const room = await uneven(api);
  const author = await api.account();
  const reader = await person();
  const { page } = reader;
  await reader.opens(room);
  await reader.sees("line 100");
  const jump = page.getByRole("button", { name: /Jump to newest|new message/ });
  for (let turn = 1; turn <= 4; turn++) {
    if (await jump.isVisible()) await jump.click();
    await expect(jump).toHaveCount(0);
    await reader.log.hover();
    let isComing = true;
    const news = (async () => {
      for (let n = 1; isComing; n++) {
        await api.post(author, room, `news ${turn} ${n}\nof several\nlines`);
        await page.waitForTimeout(40);
      }
    })();
    await expect(reader.message(`news ${turn} `).last()).toBeVisible();
    for (let notch = 1; notch <= 6; notch++) {
      await page.mouse.wheel(0, -120);
      await page.waitForTimeout(30);
    }
    isComing = false;
    await news;
    const gap = () => reader.log.evaluate((log) => log.scrollHeight - log.clientHeight - log.scrollTop);
    await expect.poll(gap, `turn ${turn}`).toBeGreaterThan(500);
    await reader.isStill();
    expect(await gap(), `turn ${turn}`).toBeGreaterThan(500);
    await expect(jump).toBeVisible();
  }
});

test("a room opens at its first unread message, and stays there while older pages load", async ({
  api,
  person,
}) => {
  const room = await uneven(api);
  const other = await api.room();
  const author = await api.account();
  const reader = await person();
  const { page } = reader;
  await reader.opens(room);
  await reader.sees("line 100");
  await reader.opens(other);
  for (let n = 1; n <= 40; n++) await api.post(author, room, `unread ${n}${"\nand more".repeat(n % 4)}`);
  await reader.opens(room);
  const line = reader.log.getByText("New", { exact: true });
  await expect(line).toBeInViewport();
  // Further scrolling by hand starts there at once, downwards as well.
  await reader.log.hover();
  await reader.isStill();
  const fromTop = async () =>
    ((await line.boundingBox())?.y ?? 0) - ((await reader.log.boundingBox())?.y ?? 0);
  expect(Math.abs((await fromTop()) - 72)).toBeLessThan(40);
  await page.mouse.wheel(0, 30);
  await expect.poll(async () => Math.abs((await fromTop()) - 42)).toBeLessThan(15);
  await reader.isStill();
  expect(Math.abs((await fromTop()) - 42)).toBeLessThan(40);
  await expect(page.getByRole("button", { name: /new message|Jump to newest/ })).toBeVisible();
});
