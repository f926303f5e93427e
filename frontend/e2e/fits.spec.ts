// No page is taller or wider than the window, however many rows its lists have.

import type { Page } from "@playwright/test";
import { Api } from "./api";
import { expect, test } from "./person";
import { Server } from "./server";

const ADMIN = { username: "admin", password: "admin" };
const SIZES = { desktop: { width: 1280, height: 720 }, phone: { width: 390, height: 844 } };
const ROOMS = 40;

let server: Server;

test.beforeAll(async () => {
  server = await Server.start("fits");
});

test.afterAll(() => server.stop());

/** Number of pixels by which the page itself can be scrolled. */
const excess = (page: Page) =>
  page.evaluate(() => {
    const { scrollHeight, scrollWidth } = document.scrollingElement ?? document.documentElement;
    return { down: scrollHeight - window.innerHeight, across: scrollWidth - window.innerWidth };
  });

test("no page overflows the window, with 40 rooms and a reader in the last one", async ({ person }) => {
  test.setTimeout(600_000);
  const api = new Api(server.url);
  const url = server.url;
  const rooms = [];
  for (let n = 1; n <= ROOMS; n++) rooms.push(await api.room(`Room ${String(n).padStart(2, "0")}`));
  const last = rooms.at(-1) ?? (await api.room());
  const admin = await api.admin();
  for (let n = 0; n < 20; n++) {
    const member = await api.account();
    await api.post(member, last, `line ${n}\nand another`);
    await api.send("POST", "/direct-messages", { recipient_id: member.id, body: "hello" }, admin);
  }
  const [anybody] = (await api.send("GET", "/users?limit=5", undefined, admin)).users;

  for (const [size, viewport] of Object.entries(SIZES)) {
    const visitor = await person({ url });
    await visitor.page.setViewportSize(viewport);
    await visitor.signsIn(ADMIN);
    for (const path of [
      `/r/${last.id}`,
      "/dm",
      "/dm/new",
      `/dm/${anybody.id}`,
      "/admin/rooms",
      "/admin/users",
      "/admin/invitations",
      "/admin/audit",
      "/settings",
      "/nowhere",
    ]) {
      await visitor.goesTo(path);
      await expect(visitor.page.getByRole("heading", { level: 1 })).toBeVisible();
      if (path.startsWith("/r/")) await visitor.isLive();
      if (size === "phone") await visitor.page.getByRole("button", { name: /Rooms and messages/ }).click();
      const entry = visitor.page.getByRole("navigation", { name: "Rooms and messages" });
      await expect(entry.getByRole("link", { name: last.name })).toBeAttached();
      if (path.startsWith("/r/")) {
        await expect(entry.getByRole("link", { name: last.name })).toHaveAttribute("title", / here$/);
      }
      expect(await excess(visitor.page), `${path}, ${size}`).toEqual({ down: 0, across: 0 });
      if (size === "phone") await visitor.page.keyboard.press("Escape");
      expect(await excess(visitor.page), `${path}, ${size}`).toEqual({ down: 0, across: 0 });
    }
  }
});
