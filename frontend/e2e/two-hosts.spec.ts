// The app and its API on two hosts, which to a browser are two sites, as they are deployed: the app's own static server,
// its content security policy on, the API's address from /config.js, and nothing between them but exact origins.

import { Api, unique } from "./api";
import { expect, test } from "./person";
import { freePort, Server } from "./server";
import { findCaddy, Web } from "./web";

const ADMIN = { username: "admin", password: "admin" };

interface Hosts {
  /** Where people go. */
  page: string;
  /** Where their pages call; from here it is reached by number. */
  server: Server;
  stop(): Promise<void>;
}

async function start(name: string): Promise<Hosts> {
  const caddy = findCaddy();
  test.skip(!caddy, "Caddy is not installed, so the app's own static server cannot be tried.");
  const port = await freePort();
  const page = `http://web.localhost:${port}`;
  const server = await Server.start(name, { SPA_DIR: "", ALLOWED_ORIGINS: page });
  const web = await Web.start(caddy ?? "", port, `http://api.localhost:${server.port}`);
  return {
    page,
    server,
    stop: async () => {
      web.stop();
      await server.stop();
    },
  };
}

test("from another site: read, sign in, chat, lose the server, sign out, and an admin's day", async ({
  person,
}) => {
  test.setTimeout(180_000);
  const { page, server, stop } = await start("two-hosts");
  try {
    const api = new Api(server.url);
    const room = await api.room();
    const [writer, guest] = [await person({ url: page }), await person({ url: page })];
    const refused: string[] = [];
    writer.page.on("console", (line) => {
      if (/Content Security Policy|CORS/.test(line.text())) refused.push(line.text());
    });

    await guest.opens(room);
    await writer.signsIn(await api.account());
    await writer.opens(room);
    await writer.writes("across two sites");
    await writer.seesSent("across two sites");
    await guest.sees("across two sites");

    await server.kill();
    await writer.writes("while it was away");
    await server.startAgain();
    await writer.seesSent("while it was away");
    await guest.sees("while it was away");

    await writer.page.reload();
    await writer.isLive();
    await writer.writes("after a reload");
    await writer.seesSent("after a reload");
    expect(await writer.page.context().cookies()).toEqual([]);

    await writer.goesTo("/settings");
    await writer.page.getByRole("button", { name: "Sign out", exact: true }).first().click();
    await expect(writer.page.getByRole("link", { name: "Sign up" }).first()).toBeVisible();

    await writer.signsIn(ADMIN);
    await writer.goesTo("/admin/rooms");
    const made = unique("Garden");
    await writer.page.getByRole("button", { name: "New room" }).click();
    await writer.page.getByRole("textbox", { name: "Name" }).fill(made);
    await writer.page.getByRole("button", { name: "Create room" }).click();
    await expect(guest.page.getByRole("link", { name: made })).toBeVisible();
    expect(refused).toEqual([]);
  } finally {
    await stop();
  }
});

test("only the listed origin is let in, on answers, errors and streams alike", async () => {
  const { page, server, stop } = await start("origins");
  try {
    const ask = (path: string, origin: string, init: RequestInit = {}) =>
      fetch(server.url + path, { ...init, headers: { ...init.headers, Origin: origin } });
    const allowed = (response: Response) => response.headers.get("access-control-allow-origin");

    for (const path of ["/rooms", "/users/me", "/nowhere", "/sse?cursor=!"]) {
      const answer = await ask(path, page);
      expect(allowed(answer), path).toBe(page);
      expect(answer.headers.get("vary")?.toLowerCase(), path).toContain("origin");
      for (const stranger of ["null", "https://evil.example", `${page}.evil.example`]) {
        expect(allowed(await ask(path, stranger)), `${path} for ${stranger}`).toBeNull();
      }
    }

    const leave = new AbortController();
    const stream = await ask("/sse", page, { signal: leave.signal });
    expect(allowed(stream)).toBe(page);
    leave.abort();

    const preflight = await ask("/messages", page, {
      method: "OPTIONS",
      headers: {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
      },
    });
    expect(preflight.status).toBe(200);
    expect(allowed(preflight)).toBe(page);
    expect(preflight.headers.get("access-control-max-age")).toBe("7200");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
  } finally {
    await stop();
  }
});
