// Markdown in the timeline and in the composer, with a keyboard and on a touch screen.

import AxeBuilder from "@axe-core/playwright";
import { expect, Person, test } from "./person";

const CODE = `\`\`\`rust\nlet wide = "${"x".repeat(300)}";\n\`\`\``;

test("lists, links and marks are typed with the keyboard, and can be undone", async ({ api, person }) => {
  const room = await api.room();
  const author = await person();
  await author.signsIn(await api.account());
  await author.opens(room);
  const { page, field } = author;
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);

  await field.pressSequentially("- one");
  await field.press("Shift+Enter");
  await field.pressSequentially("two");
  await expect(field).toHaveValue("- one\n- two");
  await field.press("Shift+Home");
  await field.press("Shift+ArrowRight");
  await field.press("Shift+ArrowRight");
  await field.press("Control+b");
  await expect(field).toHaveValue("- one\n- **two**");
  await field.press("Control+z");
  await expect(field).toHaveValue("- one\n- two");
  await page.evaluate(() => navigator.clipboard.writeText("https://example.org/a"));
  await field.press("Control+v");
  await expect(field).toHaveValue("- one\n- [two](https://example.org/a)");
  await field.press("Shift+Enter");
  await field.press("Shift+Enter");
  await expect(field).toHaveValue("- one\n- [two](https://example.org/a)\n");
  await field.press("Enter");
  await expect(author.log.getByRole("listitem")).toHaveCount(2);
  await expect(author.log.getByRole("link", { name: "two" })).toHaveAttribute(
    "href",
    "https://example.org/a",
  );

  await author.writes("/help");
  await expect(page.getByRole("alert")).toContainText("There is no command /help.");
  await page.getByRole("button", { name: "Send as text" }).click();
  await author.seesSent("/help");
  await expect(field).toBeFocused();
});

test("code is copied and scrolled by keyboard, and every kind of text is accessible", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const author = await api.account();
  await api.post(
    author,
    room,
    `# Title\n> a quote\n\n1. one\n   - nested\n2. two\n\n|a|b|\n|-|-|\n\n${CODE}`,
  );
  await api.post(author, room, "[https://bank.example](https://evil.example)");
  const reader = await person();
  const { page } = reader;
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  for (const viewport of [
    { width: 1280, height: 720 },
    { width: 390, height: 844 },
  ]) {
    await page.setViewportSize(viewport);
    await reader.opens(room);
    await reader.sees("bank.example (evil.example)");
    const code = page.getByRole("region", { name: "Code, rust" });
    await code.focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => code.evaluate((element) => element.scrollLeft)).toBeGreaterThan(0);
    await page.getByRole("button", { name: "Copy code" }).last().click();
    await expect(page.getByRole("button", { name: "Code copied" })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('let wide = "xxx');
    expect(await reader.log.evaluate((log) => log.scrollWidth - log.clientWidth)).toBe(0);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id }) => id)).toEqual([]);
  }
});

test("on a touch screen Enter begins a line, and the button sends", async ({ api, browser, baseURL }) => {
  const room = await api.room();
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  });
  const author = new Person(await context.newPage(), baseURL ?? "");
  await author.signsIn(await api.account());
  await author.opens(room);
  await author.field.tap();
  await author.field.pressSequentially("first");
  await author.field.press("Enter");
  await author.field.pressSequentially("second");
  await expect(author.field).toHaveValue("first\nsecond");
  await author.page.getByRole("button", { name: "Send" }).tap();
  await author.seesSent("first second");
  await context.close();
});
