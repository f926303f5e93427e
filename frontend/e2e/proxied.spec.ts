// Streams through the Caddyfile of docs/DEPLOY.md, with compression enabled, over HTTP/1.1, HTTP/2 and HTTP/3: each
// event arrives separately, and not together with later ones.

import { createHash, X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { request } from "node:https";
import type { Readable } from "node:stream";
import { connect as connectTls } from "node:tls";
import { chromium, expect, type Page, test } from "@playwright/test";
import { type Account, Api, type Room, unique } from "./api";
import { findChromium } from "./chromium";
import { freePort, Server } from "./server";
import { findCaddy, TlsProxy } from "./web";

// Browsers resolve names below localhost without DNS.
const HOST = "chat.localhost";
const EVENTS = 10;
// A proxy that buffers holds a small event back until the next heartbeat, up to 15 s later.
const ALLOWED_MS = 5_000;

let server: Server;
let proxy: TlsProxy;
let api: Api;
let author: Account;
let room: Room;

test.beforeAll(async () => {
  const caddy = findCaddy();
  test.skip(!caddy, "Caddy is not installed, so no stream can be sent through it.");
  server = await Server.start("proxied", { TRUSTED_PROXY: "private" });
  proxy = await TlsProxy.start(caddy ?? "", { host: HOST, port: await freePort(), upstream: server.port });
  api = new Api(server.url);
  [author, room] = [await api.account(), await api.room()];
});

test.afterAll(async () => {
  proxy?.stop();
  await server?.stop();
});

/** Posts messages one by one, each after the previous one arrived; returns the delays from response to arrival. */
async function delays(hear: (body: string) => Promise<number>): Promise<number[]> {
  const measured: number[] = [];
  for (let count = 0; count < EVENTS; count += 1) {
    const body = unique("now");
    await api.post(author, room, body);
    const answered = Date.now();
    measured.push(Math.max(0, (await hear(body)) - answered));
  }
  return measured.sort((a, b) => a - b);
}

function report(how: string, measured: number[]): void {
  process.stdout.write(
    `    ${how}: ${measured[EVENTS / 2]} ms after the answer (median), ${measured.at(-1)} at most\n`,
  );
  expect(measured.at(-1)).toBeLessThan(ALLOWED_MS);
}

/** Resolves with the time at which `body` was read; the stream must not be compressed. */
function reading(stream: Readable): (body: string) => Promise<number> {
  let text = "";
  let wake = () => {};
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    wake();
  });
  return async (body) => {
    while (!text.includes(body)) await new Promise<void>((resolve) => (wake = resolve));
    return Date.now();
  };
}

const ACCEPTED = "zstd, br, gzip";
const path = () => `/sse?room=${room.id}`;

test("over HTTP/1.1, to a client that takes compressed answers", async () => {
  const where = {
    host: "127.0.0.1",
    port: proxy.port,
    servername: HOST,
    path: path(),
    rejectUnauthorized: false,
  };
  const headers = { Host: `${HOST}:${proxy.port}`, "Accept-Encoding": ACCEPTED };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ ...where, headers }, resolve)
      .on("error", reject)
      .end();
  });
  expect([answer.httpVersion, answer.headers["content-encoding"]]).toEqual(["1.1", "identity"]);
  report("HTTP/1.1", await delays(reading(answer)));
  answer.destroy();
});

test("over HTTP/2, to a client that takes compressed answers", async () => {
  const session = connect(`https://127.0.0.1:${proxy.port}`, { servername: HOST, rejectUnauthorized: false });
  const stream = session.request({
    ":authority": `${HOST}:${proxy.port}`,
    ":path": path(),
    "accept-encoding": ACCEPTED,
  });
  const headers = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
    stream.once("response", resolve).once("error", reject);
  });
  expect([headers[":status"], headers["content-encoding"]]).toEqual([200, "identity"]);
  report("HTTP/2", await delays(reading(stream)));
  session.destroy();
});

// The proxy compresses other responses, so the tests above do not pass merely because it compresses nothing.
test("while other answers are compressed by the proxy", async () => {
  const session = connect(`https://127.0.0.1:${proxy.port}`, { servername: HOST, rejectUnauthorized: false });
  const stream = session.request({
    ":authority": `${HOST}:${proxy.port}`,
    ":path": "/openapi.json",
    // The server itself does not support zstd.
    "accept-encoding": "zstd",
  });
  const headers = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
    stream.once("response", resolve).once("error", reject);
  });
  expect(headers["content-encoding"]).toBe("zstd");
  session.destroy();
});

/** Digest of a certificate's key, with which Chromium can be configured to accept it, over QUIC too. */
async function keyDigest(): Promise<string> {
  const socket = connectTls({
    host: "127.0.0.1",
    port: proxy.port,
    servername: HOST,
    rejectUnauthorized: false,
  });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  const key = new X509Certificate(socket.getPeerCertificate().raw).publicKey;
  socket.destroy();
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("base64");
}

/** Opens a page of the proxied origin that reads the room's stream; resolves with the protocol of its connection. */
async function listens(page: Page): Promise<string> {
  await page.goto(`https://${HOST}:${proxy.port}/livez`);
  return page.evaluate(async (path) => {
    const heard = new Map<string, number>();
    Object.assign(window, { heard });
    const stream = new EventSource(path);
    stream.addEventListener("message.posted", ({ data }) => heard.set(JSON.parse(data).body, Date.now()));
    await new Promise((resolve, reject) => {
      stream.addEventListener("hello", resolve);
      stream.addEventListener("error", () => reject(new Error("The stream was refused.")));
    });
    // A stream's own entry is written when it ends; later requests share its connection. Their entries are written some
    // time after their body was read.
    await (await fetch("/livez?after")).text();
    for (;;) {
      const [entry] = performance.getEntriesByName(`${location.origin}/livez?after`);
      if (entry) return (entry as PerformanceResourceTiming).nextHopProtocol;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }, path());
}

for (const [protocol, name, args] of [
  ["h2", "HTTP/2", ["--disable-quic"]],
  ["h3", "HTTP/3", ["--enable-quic", `--origin-to-force-quic-on=${HOST}:PORT`]],
] as const) {
  test(`in a browser over ${name}`, async () => {
    const trusted = `--ignore-certificate-errors-spki-list=${await keyDigest()}`;
    const browser = await chromium.launch({
      executablePath: findChromium(),
      args: [trusted, ...args.map((arg) => arg.replace("PORT", String(proxy.port)))],
    });
    try {
      // The page only serves to open streams; its own resources do not matter.
      const page = await browser.newPage({ bypassCSP: true });
      expect(await listens(page)).toBe(protocol);
      const hear = async (body: string) => {
        const at = await page.waitForFunction((body) => {
          return (window as unknown as { heard: Map<string, number> }).heard.get(body);
        }, body);
        return Number(await at.jsonValue());
      };
      report(`Chromium, ${name}`, await delays(hear));
    } finally {
      await browser.close();
    }
  });
}
