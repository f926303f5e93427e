// A complete deployment: several instances behind a proxy, the app on its own host, Redis and PostgreSQL. `cargo xtask
// rehearse` starts the services of compose.yaml, and passes their addresses and processes.

import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { type Account, Api, unique } from "./api";
import { Listener } from "./listener";
import { expect, test } from "./person";
import { spendADay } from "./story";

const page = process.env.GAPLESS_PAGE_URL ?? "";
const site = new URL(process.env.GAPLESS_API_URL ?? "http://api.localhost");
// Not every resolver knows the names below localhost that browsers know. No request may fail, so none is repeated.
const api = new Api(`http://127.0.0.1:${site.port}`, 0);

// These tests stop instances, so they run one after the other.
test.describe.configure({ mode: "serial" });

const INSTANCES = ["api-1", "api-2"];

function group(instance: string): number {
  return Number(readFileSync(join(process.env.GAPLESS_INSTANCES ?? ".", `${instance}.pid`), "utf8"));
}

function signal(instance: string, name: NodeJS.Signals): number {
  const id = group(instance);
  process.kill(-id, name);
  return id;
}

/** Returns whether the instance with this process group has ended and was replaced. */
async function isReplaced(instance: string, former: number): Promise<void> {
  await expect.poll(() => group(instance), { timeout: 60_000 }).not.toBe(former);
}

async function isReady(): Promise<void> {
  const ask = () =>
    fetch(`${api.url}/readyz`).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(ask, { timeout: 60_000 }).toBe(200);
}

function say(figure: string): void {
  process.stdout.write(`    ${figure}\n`);
}

test("a day of use on two sites, with every instance killed in the middle", async ({ person }) => {
  await spendADay(person, {
    page,
    api,
    lose: async () => {
      for (const instance of INSTANCES) signal(instance, "SIGKILL");
    },
    find: isReady,
  });
});

test("the stream passes the proxy without delay, with the right headers", async () => {
  const [author, room] = [await api.account(), await api.room()];
  const url = `${api.url}/sse?room=${room.id}`;
  const leave = new AbortController();
  const { headers } = await fetch(url, {
    headers: { "Accept-Encoding": "gzip, br, zstd" },
    signal: leave.signal,
  });
  leave.abort();
  expect(headers.get("content-type")).toBe("text/event-stream");
  expect(headers.get("content-encoding")).toBe("identity");
  expect(headers.get("x-accel-buffering")).toBe("no");

  const listener = await Listener.open(url);
  await listener.hears(({ kind }) => kind === "hello");
  const late: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const body = unique("now");
    const heard = listener
      .hears((event) => event.kind === "message.posted" && event.data.body === body)
      .then(() => performance.now());
    await api.post(author, room, body);
    const answered = performance.now();
    late.push((await heard) - answered);
  }
  listener.close();
  late.sort((a, b) => a - b);
  say(`heard ${late[10]?.toFixed(1)} ms after the answer (median), ${late.at(-1)?.toFixed(1)} ms at most`);
  // A proxy that buffers holds a small event until the next heartbeat, 15 s later.
  expect(late.at(-1)).toBeLessThan(5_000);
});

test("one address has one rate limit, whatever headers it sends, and does not share it with others", async () => {
  /** Signs in from one address of this machine with a header that claims another one. */
  const signIn = (from: string, claimed: string) =>
    new Promise<number>((resolve, reject) => {
      // A different account each time: the limit per account is lower.
      const wrong = JSON.stringify({ username: unique("nobody"), password: "not the password" });
      const headers = {
        "Content-Type": "application/json",
        "Content-Length": wrong.length,
        "X-Forwarded-For": claimed,
        "X-Real-IP": claimed,
        Forwarded: `for=${claimed}`,
        "Fly-Client-IP": claimed,
      };
      const where = { host: "127.0.0.1", port: site.port, path: "/auth/login", method: "POST", headers };
      request({ ...where, localAddress: from, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on("error", reject)
        .end(wrong);
    });

  // Each of the two instances allows thirty a minute per address, so the first rounds are within the limit and a later
  // one is not. This holds on a slow machine too: a round uses more than is refilled in a second.
  let statuses: number[] = [];
  for (let round = 1; round <= 40 && !statuses.includes(429); round += 1) {
    const attempts = Array.from({ length: 8 }, (_, place) => signIn("127.0.0.77", `203.0.${round}.${place}`));
    statuses = await Promise.all(attempts);
    if (round <= 3) expect(statuses).toEqual(Array(8).fill(401));
  }
  expect(statuses).toContain(429);
  // If the proxy's header were ignored, all clients would share the proxy's address.
  expect(await signIn("127.0.0.78", "127.0.0.77")).toBe(401);
});

test("both instances are replaced one after the other without a failed request", async ({ person }) => {
  // One room that is read, and others, so that some of many posts arrive just when an instance stops.
  const [room, other] = [await api.room(), await api.room()];
  const authors = await Promise.all(
    ["first", "second", "third", "fourth"].map((name) => api.account(unique(name))),
  );
  const reader = await person({ url: page });
  await reader.opens(room);

  const written: string[] = [];
  const refused: string[] = [];
  let writing = true;
  const writers = authors.map(async (author, place) => {
    while (writing) {
      const body = unique("message");
      await api.post(author, place === 0 ? room : other, body).then(
        () => written.push(body),
        (error) => refused.push(String(error)),
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  for (const instance of INSTANCES) {
    const former = signal(instance, "SIGTERM");
    await isReplaced(instance, former);
    await isReady();
    // The proxy checks once a second, and must see the new instance before the other one stops.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
  }
  writing = false;
  await Promise.all(writers);

  say(`${written.length} posts while both instances were replaced, ${refused.length} refused`);
  expect(refused).toEqual([]);
  expect(written.length).toBeGreaterThan(50);
  const last = unique("the last");
  await api.post(authors[0] as Account, room, last);
  await reader.sees(last);
  // The newest page of each room, up to 200 messages.
  const kept = new Set([...(await api.bodies(room)), ...(await api.bodies(other))]);
  expect(written.slice(-150).filter((body) => !kept.has(body))).toEqual([]);
});
