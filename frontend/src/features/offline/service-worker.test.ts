// The service worker, in a browser made of maps.

import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

type Handler = (event: unknown) => void;

const SOURCE = readFileSync("service-worker.js", "utf8");
const ORIGIN = "https://chat.example.org";
const SCRIPT = "/assets/index-1.js";

class Browser {
  caches = new Map<string, Map<string, Response>>();
  /** Responses of the network by path; a missing one means that there is no network. */
  network = new Map<string, () => Response | Promise<Response>>();
  #handlers = new Map<string, Handler>();
  isSkipping = false;

  /** Starts the worker of a release. */
  start(release: string, files = [SCRIPT]): void {
    const source = SOURCE.replace("__RELEASE__", release).replace(
      "__FILES__",
      JSON.stringify(files).replaceAll('"', '\\"'),
    );
    const self = {
      addEventListener: (kind: string, handler: Handler) => this.#handlers.set(kind, handler),
      location: new URL(`${ORIGIN}/sw.js`),
      clients: { claim: async () => {} },
      skipWaiting: async () => {
        this.isSkipping = true;
      },
    };
    new Function("self", "caches", "fetch", source)(self, this.#cacheStorage(), (what: unknown) =>
      this.#fetch(what),
    );
  }

  async run(kind: "install" | "activate"): Promise<void> {
    let done: Promise<unknown> = Promise.resolve();
    this.#handlers.get(kind)?.({
      waitUntil: (work: Promise<unknown>) => {
        done = work;
      },
    });
    await done;
  }

  /** Requests a path through the worker; undefined if the worker leaves it to the browser. */
  async load(path: string, { isPage = false, method = "GET", origin = ORIGIN } = {}) {
    let answer: Promise<Response> | undefined;
    this.#handlers.get("fetch")?.({
      request: { url: origin + path, method, mode: isPage ? "navigate" : "cors" },
      respondWith: (response: Promise<Response>) => {
        answer = response;
      },
    });
    return answer && (await answer).text();
  }

  serve(files: Record<string, string>): void {
    this.network = new Map(Object.entries(files).map(([path, text]) => [path, () => new Response(text)]));
  }

  async #fetch(what: unknown): Promise<Response> {
    const path = typeof what === "string" ? what : new URL((what as Request).url).pathname;
    const answer = this.network.get(path);
    if (!answer) throw new TypeError("Failed to fetch");
    return answer();
  }

  #cacheStorage() {
    const { caches: all } = this;
    const pathOf = (key: unknown) => (typeof key === "string" ? key : new URL((key as Request).url).pathname);
    const open = async (name: string) => {
      const entries = all.get(name) ?? new Map<string, Response>();
      all.set(name, entries);
      return {
        match: async (key: unknown) => entries.get(pathOf(key))?.clone(),
        put: async (key: string, response: Response) => void entries.set(key, response),
        addAll: async (keys: string[]) => {
          for (const key of keys) {
            const response = await this.#fetch(key);
            if (!response.ok) throw new TypeError("Request failed");
            entries.set(key, response);
          }
        },
      };
    };
    const match = async (key: unknown) => {
      for (const name of all.keys()) {
        const found = await (await open(name)).match(key);
        if (found) return found;
      }
    };
    return {
      open,
      match,
      keys: async () => [...all.keys()],
      delete: async (name: string) => all.delete(name),
    };
  }
}

/** The files of a release, whose page references its script. */
const release = (number: number) => ({
  "/": `page ${number} /assets/index-${number}.js`,
  [`/assets/index-${number}.js`]: `script ${number}`,
  "/config.js": "config",
  "/theme.js": "theme",
  "/favicon.svg": "icon",
  "/manifest.webmanifest": "manifest",
});

let browser: Browser;

async function installs(number: number): Promise<void> {
  browser.serve(release(number));
  browser.start(String(number), [`/assets/index-${number}.js`]);
  await browser.run("install");
  await browser.run("activate");
}

beforeEach(async () => {
  browser = new Browser();
  await installs(1);
});

afterEach(() => vi.useRealTimers());

test("pages come from the network while there is one, and from the cache otherwise", async () => {
  browser.network.set("/r/lounge-1", () => new Response("rendered by the server"));
  expect(await browser.load("/r/lounge-1", { isPage: true })).toBe("rendered by the server");
  browser.network.set("/r/lounge-1", () => new Response("no such room", { status: 404 }));
  expect(await browser.load("/r/lounge-1", { isPage: true })).toBe("no such room");
  browser.network.set("/r/lounge-1", () => new Response("bad gateway", { status: 502 }));
  expect(await browser.load("/r/lounge-1", { isPage: true })).toBe("page 1 /assets/index-1.js");
  browser.serve({});
  expect(await browser.load("/dm/1", { isPage: true })).toBe("page 1 /assets/index-1.js");
  expect(await browser.load("/config.js")).toBe("config");
  expect(await browser.load("/assets/index-1.js")).toBe("script 1");
});

test("a network that does not answer is not waited for", async () => {
  vi.useFakeTimers();
  browser.network.set("/", () => new Promise(() => {}));
  const page = browser.load("/", { isPage: true });
  await vi.advanceTimersByTimeAsync(8_000);
  expect(await page).toBe("page 1 /assets/index-1.js");
});

test.each(["/sse?room=1", "/messages?room_id=1", "/rooms", "/inbox", "/icons/icon-192.png", "/sw.js"])(
  "%s is left to the browser",
  async (path) => {
    expect(await browser.load(path)).toBeUndefined();
    expect(await browser.load("/", { method: "POST" })).toBeUndefined();
    expect(await browser.load("/assets/index-1.js", { origin: "https://api.example.org" })).toBeUndefined();
  },
);

test.each([
  "/swagger",
  "/openapi.json",
  "/sitemap.xml",
  "/robots.txt",
  "/metrics",
  "/messages",
  "/sse",
  "/rx",
])("%s is no page of the app", async (path) => {
  browser.serve({});
  expect(await browser.load(path, { isPage: true })).toBeUndefined();
});

test("every page of the app opens without a network", async () => {
  browser.serve({});
  const routes = [...readFileSync("src/app/App.tsx", "utf8").matchAll(/path: "([^"]+)"/g)];
  expect(routes.length).toBeGreaterThan(10);
  for (const [, route = ""] of routes) {
    const path = route.replaceAll(/:\w+\??/g, "1");
    expect(await browser.load(path, { isPage: true }), path).toContain("page 1");
  }
});

test("a tab of the release before loads its parts; older releases are deleted", async () => {
  await installs(2);
  expect(await browser.load("/assets/index-1.js")).toBe("script 1");
  expect(await browser.load("/", { isPage: true })).toContain("page 2");
  await installs(3);
  expect([...browser.caches.keys()]).toEqual(["gapless.shell.2", "gapless.shell.3"]);
  // After a rollback, the release before is 3.
  await installs(2);
  await installs(4);
  expect([...browser.caches.keys()]).toEqual(["gapless.shell.2", "gapless.shell.4"]);
});

test("a release that is replaced while it is being installed is not kept", async () => {
  browser.isSkipping = false;
  browser.serve(release(3));
  browser.start("2", ["/assets/index-2.js"]);
  await expect(browser.run("install")).rejects.toThrow("another release is served");
  browser.serve({ ...release(3), "/": release(2)["/"] ?? "" });
  await expect(browser.run("install")).rejects.toThrow();
  expect(browser.isSkipping).toBe(false);
});
