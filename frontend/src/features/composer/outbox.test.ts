import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ProblemError } from "../../api/problem";
import type { Lane } from "./drafts";
import { Outbox, type Unsent } from "./outbox";

const ROOM: Lane = "room:1";

/** A server whose answers the test gives, one request at a time. */
class Server {
  requests: { unsent: Unsent; answer(): void; refuse(status: number, retryAfterSecs?: number): void }[] = [];

  readonly deliver = (unsent: Unsent): Promise<void> =>
    new Promise((resolve, reject) => {
      const refuse = (status: number, retryAfterSecs?: number) => {
        const headers = retryAfterSecs === undefined ? undefined : { "Retry-After": String(retryAfterSecs) };
        reject(
          new ProblemError(
            { status, detail: `refused with ${status}` },
            new Response(null, headers ? { headers } : {}),
          ),
        );
      };
      this.requests.push({ unsent, answer: resolve, refuse });
    });

  get last() {
    const last = this.requests.at(-1);
    if (!last) throw new Error("Nothing was sent.");
    return last;
  }

  get bodies(): string[] {
    return this.requests.map(({ unsent }) => unsent.body);
  }
}

let server: Server;
let outbox: Outbox;
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  outbox = new Outbox("ali", server.deliver);
  outbox.resume();
});

afterEach(() => {
  outbox.pause();
  vi.useRealTimers();
});

test("sends one at a time, in order, each lane by itself", async () => {
  outbox.send(ROOM, "one");
  outbox.send(ROOM, "two");
  outbox.send("room:2", "elsewhere");
  await settle();
  expect(server.bodies).toEqual(["one", "elsewhere"]);
  server.requests[0]?.answer();
  await settle();
  expect(server.bodies).toEqual(["one", "elsewhere", "two"]);
  expect(outbox.in(ROOM).map(({ body }) => body)).toEqual(["two"]);
});

test("what is temporary is tried again, as the same message, when the server asked for it", async () => {
  outbox.send(ROOM, "one");
  outbox.send(ROOM, "two");
  await settle();
  server.last.refuse(503, 7);
  await vi.advanceTimersByTimeAsync(6_900);
  expect(server.requests).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(server.requests).toHaveLength(2);
  expect(server.last.unsent.clientId).toBe(server.requests[0]?.unsent.clientId);
  expect(server.bodies).toEqual(["one", "one"]);
});

test("coming back online tries at once", async () => {
  outbox.send(ROOM, "one");
  await settle();
  server.last.refuse(503, 600);
  await settle();
  window.dispatchEvent(new Event("online"));
  await settle();
  expect(server.requests).toHaveLength(2);
});

test("a refusal stays with its reason, and does not hold up what follows", async () => {
  outbox.send(ROOM, "bad");
  outbox.send(ROOM, "good");
  await settle();
  server.last.refuse(422);
  await settle();
  expect(server.last.unsent.body).toBe("good");
  server.last.answer();
  await settle();
  const [refused] = outbox.in(ROOM);
  expect(refused).toMatchObject({ body: "bad", refusal: "refused with 422" });

  outbox.retry(refused?.clientId ?? "");
  await settle();
  expect(server.last.unsent).toMatchObject({ body: "bad", clientId: refused?.clientId });
  server.last.answer();
  await settle();
  expect(outbox.in(ROOM)).toEqual([]);
});

test("a reload loses nothing: the next outbox of the same person sends what is left", async () => {
  outbox.send(ROOM, "before the crash");
  await settle();
  const [before] = outbox.in(ROOM);
  outbox.pause();
  expect(new Outbox("zoe", server.deliver).in(ROOM)).toEqual([]);
  const reloaded = new Outbox("ali", server.deliver);
  reloaded.resume();
  await settle();
  expect(server.requests).toHaveLength(2);
  expect(server.last.unsent).toEqual(before);
  reloaded.pause();
});

test("the end of a session stops sending and keeps everything", async () => {
  outbox.send(ROOM, "one");
  await settle();
  server.last.refuse(401);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.requests).toHaveLength(1);
  expect(outbox.in(ROOM)).toMatchObject([{ body: "one", refusal: null }]);
  outbox.resume();
  await settle();
  expect(server.requests).toHaveLength(2);
});

test("what the stream has told of needs no answer any more", async () => {
  outbox.send(ROOM, "one");
  await settle();
  outbox.remove(server.last.unsent.clientId);
  expect(outbox.in(ROOM)).toEqual([]);
  server.last.refuse(503);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.requests).toHaveLength(1);
});
