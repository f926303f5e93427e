import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ProblemError } from "../../api/problem";
import type { Lane } from "./drafts";
import { Outbox } from "./outbox";
import type { Unsent } from "./outbox-records";

const ROOM: Lane = "room:1";

/** A server whose responses the test gives, one request at a time. */
class Server {
  requests: { unsent: Unsent; answer(): void; refuse(status: number, retryAfterSecs?: number): void }[] = [];

  signals: AbortSignal[] = [];

  readonly deliver = (unsent: Unsent, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      this.signals.push(signal);
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

test("sends one message at a time, in order, per lane", async () => {
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

test("a temporary failure is retried with the same client_id, when the server asked for it", async () => {
  outbox.send(ROOM, "one");
  outbox.send(ROOM, "two");
  await settle();
  server.last.refuse(503, 7);
  await vi.advanceTimersByTimeAsync(6_900);
  expect(server.requests).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(server.requests).toHaveLength(2);
  expect(server.last.unsent.clientId).toBe(server.requests[0]?.unsent.clientId);
  expect(server.bodies).toEqual(["one", "one"]);
});

test("coming back online retries immediately", async () => {
  outbox.send(ROOM, "one");
  await settle();
  server.last.refuse(503, 600);
  await settle();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.requests).toHaveLength(1);
  window.dispatchEvent(new Event("online"));
  await settle();
  expect(server.requests).toHaveLength(2);
});

test("a refused message stays with its reason, and does not block the next ones", async () => {
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

test("after a reload, the next outbox of the same person sends the rest", async () => {
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

test("when the session ends, sending stops and everything is kept", async () => {
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

test("a message that arrived by the stream needs no response", async () => {
  outbox.send(ROOM, "one");
  await settle();
  outbox.remove(server.last.unsent.clientId);
  expect(outbox.in(ROOM)).toEqual([]);
  server.last.refuse(503);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.requests).toHaveLength(1);
});

test.each([0, 0.2])("a `Retry-After` of %s does not cause rapid retries", async (retryAfterSecs) => {
  outbox.send(ROOM, "one");
  await settle();
  for (let n = 0; n < 60; n++) {
    if (server.requests.length > 0) server.last.refuse(502, retryAfterSecs);
    outbox.wake();
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(server.requests.length).toBeLessThanOrEqual(4);
});

test("a message that cannot be sent says why and can be taken back; later ones wait in order", async () => {
  outbox.send(ROOM, "one");
  outbox.send(ROOM, "two");
  outbox.send("room:2", "elsewhere");
  await settle();
  server.requests[0]?.refuse(502);
  server.requests[1]?.answer();
  await settle();
  const [one, two] = outbox.in(ROOM);
  expect(one).toMatchObject({ body: "one", trouble: "refused with 502", refusal: null });
  expect(two).toMatchObject({ body: "two", trouble: null, isBehind: true });
  expect(outbox.in("room:2")).toEqual([]);

  outbox.takeBack(one?.clientId ?? "");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.last.unsent.body).toBe("two");
  server.last.answer();
  await settle();
  expect(outbox.in(ROOM)).toEqual([]);
});

test("a message taken back while it is being sent is not sent again", async () => {
  outbox.send(ROOM, "one");
  await settle();
  outbox.takeBack(server.last.unsent.clientId);
  expect(server.signals.at(-1)?.aborted).toBe(true);
  server.last.refuse(503);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.requests).toHaveLength(1);
  expect(outbox.in(ROOM)).toEqual([]);
});

test("'Try now' overrides the wait that the server asked for", async () => {
  outbox.send(ROOM, "one");
  await settle();
  server.last.refuse(503, 600);
  await vi.advanceTimersByTimeAsync(2_000);
  outbox.retry(server.last.unsent.clientId);
  await settle();
  expect(server.requests).toHaveLength(2);
});

test("two tabs never remove each other's messages, even with stale storage", async () => {
  const stored = localStorage;
  // Another tab with an outdated view of the storage, as in browsers that run tabs in separate processes.
  const late = new Map<string, string>();
  const other = new Outbox("ali", server.deliver);
  const inOtherTab = (work: () => void) => {
    vi.stubGlobal("localStorage", lateView(stored, late));
    work();
    vi.unstubAllGlobals();
  };
  for (const n of [1, 2, 3]) {
    outbox.send(ROOM, `here ${n}`);
    inOtherTab(() => other.send(ROOM, `there ${n}`));
  }
  expect(
    new Outbox("ali", server.deliver)
      .in(ROOM)
      .map(({ body }) => body)
      .sort(),
  ).toEqual(["here 1", "here 2", "here 3", "there 1", "there 2", "there 3"]);
});

test("a message of a closed tab is sent by another tab", async () => {
  const closed = new Outbox("ali", server.deliver);
  closed.send(ROOM, "last words");
  const key = Object.keys(localStorage).find((name) => name.startsWith("gapless.outbox.ali."));
  window.dispatchEvent(new StorageEvent("storage", { key: key ?? "" }));
  expect(outbox.in(ROOM).map(({ body }) => body)).toEqual(["last words"]);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(server.bodies).toEqual(["last words"]);
});

test("messages stored by an older release are taken over, at start and later", async () => {
  const former = (clientId: string, body: string) => ({
    clientId,
    lane: ROOM,
    body,
    writtenAt: "2026-11-22T09:00:00.000Z",
    refusal: null,
  });
  localStorage.setItem("gapless.outbox.zoe", JSON.stringify([former("a", "one"), former("b", "two")]));
  const zoe = new Outbox("zoe", server.deliver);
  expect(zoe.in(ROOM).map(({ body }) => body)).toEqual(["one", "two"]);
  expect(localStorage.getItem("gapless.outbox.zoe")).toBeNull();

  zoe.resume();
  const newValue = JSON.stringify([former("c", "of a tab not reloaded yet")]);
  window.dispatchEvent(new StorageEvent("storage", { key: "gapless.outbox.zoe", newValue }));
  expect(
    zoe
      .in(ROOM)
      .map(({ clientId }) => clientId)
      .sort(),
  ).toEqual(["a", "b", "c"]);
  zoe.pause();
});

test("messages are sent in the order they were written, even if the clock is set back", () => {
  outbox.pause();
  outbox.send(ROOM, "one");
  vi.setSystemTime(Date.now() - 3_600_000);
  outbox.send(ROOM, "two");
  expect(outbox.in(ROOM).map(({ body }) => body)).toEqual(["one", "two"]);
});

test("without storage, messages are still sent", async () => {
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  outbox.send(ROOM, "one");
  await settle();
  expect(server.bodies).toEqual(["one"]);
  expect(outbox.in(ROOM)).toHaveLength(1);
  server.last.answer();
  await settle();
  expect(outbox.in(ROOM)).toEqual([]);
});

/** Writes go to `storage` at once; reads return only this tab's own writes. */
function lateView(storage: Storage, own: Map<string, string>): Storage {
  return {
    get length() {
      return own.size;
    },
    key: (at: number) => [...own.keys()][at] ?? null,
    getItem: (key: string) => own.get(key) ?? null,
    setItem: (key: string, text: string) => {
      own.set(key, text);
      storage.setItem(key, text);
    },
    removeItem: (key: string) => {
      own.delete(key);
      storage.removeItem(key);
    },
    clear: () => {},
  };
}
