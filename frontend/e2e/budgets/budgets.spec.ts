// Measures what the app costs a browser, and prints it beside its budget: `npm run budgets` (see docs/BENCHMARKS.md).
// Times need an otherwise idle machine, so only figures that hold on any machine fail the run.

import type { Page } from "@playwright/test";
import type { Account, Api, Room } from "../api";
import { expect, test } from "../person";
import { heap, quantile, record, throttle } from "./measure";

test.describe.configure({ mode: "default", timeout: 900_000 });

const AT_ONCE = 16;

function print(what: string, value: number, unit: string, budget: number): void {
  const figure = `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`;
  process.stdout.write(`${what.padEnd(64)}${figure.padStart(12)}${`≤ ${budget} ${unit}`.padStart(14)}\n`);
}

async function many(count: number, make: (n: number) => Promise<unknown>): Promise<void> {
  let next = 1;
  const work = async () => {
    while (next <= count) await make(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function filled(api: Api, messages: number): Promise<{ room: Room; author: Account }> {
  const room = await api.room();
  const authors = await Promise.all([1, 2, 3, 4].map(() => api.account()));
  const author = authors[0] as Account;
  await many(messages, (n) =>
    api.post(authors[n % 4] ?? author, room, `message ${n}, ${"a few words more, ".repeat(n % 9)}and an end`),
  );
  return { room, author };
}

const firstMessage = async (page: Page): Promise<number> => {
  await page.waitForFunction(() => window.measured?.firstMessage > 0);
  return page.evaluate(() => window.measured.firstMessage);
};

test("first message, cold", async ({ api, person }) => {
  const { room } = await filled(api, 200);
  const times = async (isPhone: boolean): Promise<number[]> => {
    const found: number[] = [];
    for (let visit = 0; visit < 5; visit++) {
      const { page } = await person();
      await page.addInitScript(record);
      if (isPhone) {
        await page.setViewportSize({ width: 390, height: 844 });
        await throttle(page);
      }
      await page.goto(`${api.url}/r/${room.id}`, { waitUntil: "commit" });
      found.push(await firstMessage(page));
      await page.context().close();
    }
    return found;
  };
  print("first message, laptop, median of 5", quantile(await times(false), 0.5), "ms", 600);
  print("first message, throttled phone, median of 5", quantile(await times(true), 0.5), "ms", 2500);
});

test("10,000 messages scrolled", async ({ api, person }) => {
  const { room, author } = await filled(api, 10_000);
  const reader = await person();
  const { page } = reader;
  await page.addInitScript(record);
  const session = await page.context().newCDPSession(page);
  await reader.signsIn(author);
  await reader.opens(room);
  print("heap with the newest page", await heap(session), "MB", 25);
  const beginning = reader.log.getByText("This is the beginning of the room.");
  await expect(async () => {
    await reader.log.evaluate((log) => log.scrollTo(0, 0));
    await expect(beginning).toBeVisible({ timeout: 100 });
  }).toPass({ timeout: 600_000, intervals: [10] });
  const scrolled = await heap(session);
  const shift = await page.evaluate(() => window.measured.shift);
  print("heap after scrolling through 10,000 messages", scrolled, "MB", 25);
  print("layout shift", shift, "", 0.01);

  await reader.log.evaluate((log) => log.scrollTo(0, log.scrollHeight));
  await reader.page.getByRole("button", { name: /Jump to newest|new message/ }).click();
  let isTyping = true;
  const arriving = (async () => {
    for (let n = 1; isTyping; n++) {
      await api.post(author, room, `arriving ${n}`);
      await page.waitForTimeout(90);
    }
  })();
  await reader.field.pressSequentially("typing while ten messages a second arrive, ".repeat(4), {
    delay: 40,
  });
  isTyping = false;
  await arriving;
  print(
    "typing, p95 from a key to its frame",
    quantile(await page.evaluate(() => window.measured.waits), 0.95),
    "ms",
    50,
  );
  expect(scrolled).toBeLessThan(25);
  expect(shift).toBeLessThan(0.01);
});

test("a badge of another room", async ({ api, person }) => {
  const [here, there] = [await api.room(), await api.room()];
  const author = await api.account();
  const reader = await person();
  await reader.opens(here);
  const entry = reader.page
    .getByRole("navigation", { name: "Rooms and messages" })
    .getByRole("link", { name: there.name });
  await expect(entry).toBeVisible();
  const times: number[] = [];
  for (let n = 1; n <= 5; n++) {
    // Watched from the document, since the list may render the entry anew.
    const seen = reader.page.evaluate(
      ({ name, count }) =>
        new Promise<number>((resolve) => {
          const isShown = () =>
            [...document.querySelectorAll("nav a")].some(
              ({ textContent }) => textContent?.includes(name) && textContent.includes(count),
            );
          const look = () => (isShown() ? resolve(Date.now()) : requestAnimationFrame(look));
          look();
        }),
      { name: there.name, count: `${n} unread` },
    );
    const posted = Date.now();
    await api.post(author, there, "news");
    times.push((await seen) - posted);
    // The second message of a busy room waits for the end of its second; this one measures a quiet room.
    await reader.page.waitForTimeout(1_500);
  }
  print("unread badge, from the post, the slowest of 5", Math.max(...times), "ms", 1000);
});

test("10,000 rooms", async ({ api, person }) => {
  const admin = await api.admin();
  await many(10_000, (n) =>
    api.send("POST", "/rooms", { name: `Room number ${n} ${"of many".repeat(n % 2)}` }, admin),
  );
  const reader = await person();
  const { page } = reader;
  await page.addInitScript(record);
  await page.goto(api.url, { waitUntil: "commit" });
  await reader.isLive();
  const list = page.getByRole("navigation", { name: "Rooms and messages" });
  await expect(list.getByRole("link", { name: /Room number/ }).first()).toBeVisible();
  const session = await page.context().newCDPSession(page);
  print("heap with 10,000 rooms", await heap(session), "MB", 25);
  await page.evaluate(() => Object.assign(window.measured, { longTasks: [] }));
  await list.hover();
  for (let turn = 0; turn < 60; turn++) {
    await page.mouse.wheel(0, 1_500);
    await page.waitForTimeout(30);
  }
  const longest = Math.max(0, ...(await page.evaluate(() => window.measured.longTasks)));
  const links = await list.getByRole("link").count();
  print("longest pause while 10,000 rooms are scrolled", longest, "ms", 100);
  print("links in the list of rooms", links, "", 200);
  expect(links).toBeLessThan(200);
});
