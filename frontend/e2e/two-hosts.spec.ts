// The app and its API on two hosts, which are two sites to a browser, as in a deployment: the app's own static server
// with its content security policy, the API's address from /config.js, and CORS for exact origins.

import { Api } from "./api";
import { expect, test } from "./person";
import { freePort, Server } from "./server";
import { spendADay } from "./story";
import { findCaddy, Web } from "./web";

interface Hosts {
  /** Address of the app. */
  page: string;
  /** The API as the pages call it; the test uses its IP address. */
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

test("from another origin: read, sign in, chat, lose the server, sign out, and an admin's day", async ({
  person,
}) => {
  const { page, server, stop } = await start("two-hosts");
  try {
    const api = new Api(server.url);
    await spendADay(person, { page, api, lose: () => server.kill(), find: () => server.startAgain() });
  } finally {
    await stop();
  }
});

test("only the listed origin is allowed, for responses, errors and streams", async () => {
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
