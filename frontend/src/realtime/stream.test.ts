import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeEventSource } from "../testing/fake-event-source";
import { aMessage, anEvent, hello } from "../testing/wire";
import examples from "./compact-examples.json";
import type { ServerEvent } from "./server-event";
import { ChatStream, type ConnectionStatus } from "./stream";

let heard: ServerEvent[];
let statuses: ConnectionStatus[];
let endings: string[];
let unknown: number;
let isServerThere: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  FakeEventSource.opened = [];
  heard = [];
  statuses = [];
  endings = [];
  unknown = 0;
  isServerThere = true;
});

afterEach(() => {
  vi.useRealTimers();
});

function stream(cursor: string | null = null): ChatStream {
  const ports = {
    clientId: () => "window-1",
    openSource: (query: URLSearchParams) => new FakeEventSource(query) as unknown as EventSource,
    onEvent: (event: ServerEvent) => heard.push(event),
    onStatus: (status: ConnectionStatus) => statuses.push(status),
    onTokenEnding: (why: string) => endings.push(why),
    onUnknownEvent: () => {
      unknown += 1;
    },
    isServerThere: async () => isServerThere,
  };
  return new ChatStream(ports, { rooms: ["room-1"], follow: null, token: "token-1" }, cursor);
}

const kinds = () => heard.map(({ kind }) => kind);

test("asks for its rooms, with token, cursor and replay limit", () => {
  stream("epoch.7");
  expect(Object.fromEntries(FakeEventSource.newest.query)).toEqual({
    room: "room-1",
    access_token: "token-1",
    client: "window-1",
    cursor: "epoch.7",
    replay_limit: "500",
  });
});

test("asks for news of the rooms in the list, and for none of an empty list", () => {
  const live = stream();
  const followed = () => FakeEventSource.newest.query.getAll("follow");
  expect(followed()).toEqual([]);
  live.want({ rooms: ["room-1"], follow: ["room-2", "room-3"], token: "token-1" });
  expect(followed()).toEqual(["room-2", "room-3"]);
  const opened = FakeEventSource.opened.length;
  live.want({ rooms: ["room-1"], follow: ["room-2", "room-3"], token: "token-1" });
  expect(FakeEventSource.opened).toHaveLength(opened);
  live.want({ rooms: ["room-1"], follow: [], token: "token-1" });
  expect(followed()).toEqual([""]);
});

test("asks for short forms of messages, and reads them like JSON", () => {
  const room = "0193798b-8f7e-7cc1-9d6f-4f2f3c9f1a10";
  const example = examples[0];
  if (!example) throw new Error("There are no examples.");
  const live = stream();
  live.want({ rooms: [room, example.message.room_id], follow: null, token: null });
  const source = FakeEventSource.newest;
  expect(source.query.get("format")).toBe("compact");
  source.says(hello());
  const id = `epoch.${example.pos}`;
  source.sends("message", id, JSON.stringify(example.form));
  source.sends("edited", "epoch.2000001", JSON.stringify(example.form));
  source.says(anEvent("message.posted", aMessage(1)));
  expect(heard.slice(1, 3)).toEqual([
    { kind: "message.posted", id, data: example.message },
    {
      kind: "message.edited",
      id: "epoch.2000001",
      data: expect.objectContaining({ id: example.message.id }),
    },
  ]);
  expect(kinds()).toEqual(["hello", "message.posted", "message.edited", "message.posted"]);
});

test("reloads instead of guessing the room of a short form", () => {
  stream().want({ rooms: ["0193798b-8f7e-7cc1-9d6f-4f2f3c9f1a10"], follow: null, token: null });
  FakeEventSource.newest.says(hello());
  FakeEventSource.newest.sends("message", "epoch.7", JSON.stringify(examples[0]?.form));
  expect(kinds()).toEqual(["hello", "reset"]);
  expect(unknown).toBe(1);
});

test("reports a stream without a cursor as fresh, and one with a cursor not", () => {
  stream();
  FakeEventSource.newest.says(hello());
  FakeEventSource.newest.says(hello());
  expect(heard.map(({ data }) => (data as { fresh?: boolean }).fresh ?? false)).toEqual([true, false]);
  stream("epoch.7");
  FakeEventSource.newest.says(hello());
  expect(heard.at(-1)).toMatchObject({ kind: "hello" });
  expect(heard.at(-1)?.data).not.toHaveProperty("fresh");
});

test("hands over without a gap: the old connection is used until the new one says hello", () => {
  const live = stream();
  const first = FakeEventSource.newest;
  first.says(hello());
  live.want({ rooms: ["room-1", "room-2"], follow: null, token: "token-2" });
  const second = FakeEventSource.newest;
  const meanwhile = anEvent("message.posted", aMessage(1));
  first.says(meanwhile);
  expect(first.isClosed).toBe(false);
  second.says(hello(["room-1", "room-2"]));
  expect(first.isClosed).toBe(true);
  // The new connection resumed before `meanwhile`, so it repeats it.
  second.says(meanwhile);
  second.says(anEvent("message.posted", aMessage(2)));
  expect(kinds()).toEqual(["hello", "message.posted", "hello", "message.posted"]);
});

test("an unchanged request opens no connection", () => {
  const live = stream();
  live.want({ rooms: ["room-1"], follow: null, token: "token-1" });
  expect(FakeEventSource.opened).toHaveLength(1);
});

test("leaves reconnecting to the browser", () => {
  stream();
  FakeEventSource.newest.says(hello());
  FakeEventSource.newest.breaks();
  expect(statuses).toEqual(["live", "reconnecting"]);
  vi.advanceTimersByTime(5_000);
  expect(FakeEventSource.opened).toHaveLength(1);
  FakeEventSource.newest.says(hello());
  expect(statuses).toEqual(["live", "reconnecting", "live"]);
});

test("considers a connection dead after two missed heartbeats, and resumes from the last id", () => {
  stream();
  const first = FakeEventSource.newest;
  first.says(hello());
  const last = anEvent("heartbeat", {});
  first.says(last);
  vi.advanceTimersByTime(34_000);
  expect(first.isClosed).toBe(false);
  vi.advanceTimersByTime(2_000);
  expect(first.isClosed).toBe(true);
  vi.advanceTimersByTime(15_000);
  expect(FakeEventSource.newest).not.toBe(first);
  expect(FakeEventSource.newest.query.get("cursor")).toBe(last.id);
});

test("abandons a connection that never says hello", () => {
  stream();
  vi.advanceTimersByTime(31_000);
  expect(FakeEventSource.opened).toHaveLength(2);
  expect(FakeEventSource.opened[0]?.isClosed).toBe(true);
});

test("a refused stream asks for a new token, and retries with back-off", () => {
  vi.spyOn(Math, "random").mockReturnValue(1);
  stream();
  for (const wait of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
    const count = FakeEventSource.opened.length;
    FakeEventSource.newest.isRefused();
    vi.advanceTimersByTime(wait - 1);
    expect(FakeEventSource.opened).toHaveLength(count);
    vi.advanceTimersByTime(1);
    expect(FakeEventSource.opened).toHaveLength(count + 1);
  }
  expect(endings).toEqual(Array(7).fill("ended"));
});

test("after a drain event, a new connection is opened at the given time while the old one still works", () => {
  stream();
  const first = FakeEventSource.newest;
  first.says(hello());
  first.says(anEvent("drain", { retry_ms: 700 }));
  vi.advanceTimersByTime(699);
  expect(FakeEventSource.opened).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(FakeEventSource.opened).toHaveLength(2);
  expect(first.isClosed).toBe(false);
});

test.each([
  ["expired", ["ended"]],
  ["revoked", ["revoked"]],
  ["slow", []],
  ["shutdown", []],
  ["busy", []],
] as const)("bye %s ends the connection, and another follows", (reason, expected) => {
  stream();
  const first = FakeEventSource.newest;
  first.says(hello());
  first.says(anEvent("bye", { reason }));
  expect(first.isClosed).toBe(true);
  expect(endings).toEqual(expected);
  vi.advanceTimersByTime(1_000);
  expect(FakeEventSource.opened).toHaveLength(2);
});

test("an expiring event asks for a new token, and keeps the stream", () => {
  stream();
  FakeEventSource.newest.says(hello());
  FakeEventSource.newest.says(anEvent("expiring", { expires_at: "2026-11-22T12:00:00Z" }));
  expect(endings).toEqual(["expiring"]);
  expect(FakeEventSource.newest.isClosed).toBe(false);
});

test("waking reopens the stream unless it was active recently", () => {
  const live = stream();
  FakeEventSource.newest.says(hello());
  live.wake();
  expect(FakeEventSource.opened).toHaveLength(1);
  vi.advanceTimersByTime(23_000);
  live.wake();
  expect(FakeEventSource.opened).toHaveLength(2);
});

test("a stream without a hello is reported as held back while the server responds, until a hello arrives", async () => {
  stream();
  await vi.advanceTimersByTimeAsync(4_900);
  expect(statuses).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(statuses).toEqual(["held-back"]);
  // The connection is abandoned and reopened, and held back again, for as long as the proxy buffers.
  await vi.advanceTimersByTimeAsync(120_000);
  expect(statuses).toEqual(["held-back"]);
  expect(FakeEventSource.opened.length).toBeGreaterThan(3);
  expect(FakeEventSource.opened.filter((source) => !source.isClosed).length).toBeLessThanOrEqual(1);
  while (FakeEventSource.newest.isClosed) await vi.advanceTimersByTimeAsync(500);
  FakeEventSource.newest.says(hello());
  expect(statuses).toEqual(["held-back", "live"]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(statuses).toEqual(["held-back", "live"]);
});

test("a stream whose heartbeats are held back later is detected as well", async () => {
  stream();
  FakeEventSource.newest.says(hello());
  await vi.advanceTimersByTimeAsync(45_000);
  expect(statuses).toEqual(["live", "reconnecting", "held-back"]);
});

test("an unreachable server is not mistaken for one behind a proxy", async () => {
  isServerThere = false;
  stream();
  await vi.advanceTimersByTimeAsync(14_000);
  expect(statuses).toEqual([]);
  isServerThere = true;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(statuses).toEqual(["held-back"]);
  isServerThere = false;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(statuses).toEqual(["held-back", "reconnecting"]);
});

test("a frame that only a newer release can read changes nothing, and causes a reload by REST", () => {
  stream();
  FakeEventSource.newest.says(hello());
  const says = (kind: string, data: unknown) =>
    FakeEventSource.newest.says({ kind, id: "epoch.9", data } as unknown as ServerEvent);
  says("message.posted", { id: "m", envelope: { v: 2 } });
  says("presence", null);
  expect(unknown).toBe(2);
  expect(kinds()).toEqual(["hello", "reset"]);
  says("message.sung", { id: "m" });
  expect(kinds()).toEqual(["hello", "reset"]);
});

test("an event that was on its way when the network went does not count as live; a later one does", () => {
  const chat = stream();
  FakeEventSource.newest.says(hello());
  chat.sleep();
  FakeEventSource.newest.says(anEvent("message.posted", aMessage(1)));
  expect(kinds()).toEqual(["hello", "message.posted"]);
  expect(statuses).toEqual(["live", "offline"]);
  vi.advanceTimersByTime(15_000);
  FakeEventSource.newest.says(anEvent("message.posted", aMessage(2)));
  expect(statuses).toEqual(["live", "offline", "live"]);

  chat.sleep();
  chat.wake();
  FakeEventSource.newest.says(hello());
  expect(statuses.slice(3)).toEqual(["offline", "live"]);
});
