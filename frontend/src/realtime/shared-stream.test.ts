import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeEventSource } from "../testing/fake-event-source";
import { FakeLocks, type FakeTab } from "../testing/fake-locks";
import { aMessage, anEvent, hello } from "../testing/wire";
import type { ServerEvent } from "./server-event";
import { SharedStream } from "./shared-stream";

/** Waits for enough turns of the event loop to settle locks and channels, however slow the machine is. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Advances faked intervals step by step, and lets the tabs answer each other in between. */
async function passes(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    vi.advanceTimersByTime(50);
    await settled();
  }
}

const INTERVALS: Parameters<typeof vi.useFakeTimers>[0] = {
  toFake: ["setInterval", "clearInterval", "Date"],
};

let locks: FakeLocks;
let tabs: Tab[];
/** The channel of each tab. */
let channels: { owner: Tab; channel: BroadcastChannel }[];
const RealChannel = BroadcastChannel;
let refusesChannels = false;

function catchChannels(owner: Tab): void {
  vi.stubGlobal(
    "BroadcastChannel",
    class extends RealChannel {
      constructor(name: string) {
        super(name);
        channels.push({ owner, channel: this });
      }
    },
  );
}

/** Posts notes on the channel as a tab of another release. */
function otherReleaseSays(...notes: unknown[]): void {
  const channel = new RealChannel("gapless.stream");
  for (const note of notes) channel.postMessage(note);
  setTimeout(() => channel.close(), 10);
}

/** One tab of a browser, and the events that it received. */
class Tab {
  readonly locks: FakeTab = locks.tab();
  readonly heard: ServerEvent[] = [];
  readonly shared: SharedStream;
  status = "";
  unknown = 0;

  constructor(...rooms: string[]) {
    tabs.push(this);
    vi.stubGlobal("navigator", { locks: this.locks, onLine: true });
    if (typeof BroadcastChannel !== "undefined" && !refusesChannels) catchChannels(this);
    this.shared = new SharedStream({
      clientId: () => "browser-1",
      openSource: (query) => new FakeEventSource(query) as unknown as EventSource,
      onEvent: (event) => this.heard.push(event),
      onStatus: (status) => {
        this.status = status;
      },
      onTokenEnding: () => {},
      onUnknownEvent: () => {
        this.unknown += 1;
      },
      isServerThere: async () => true,
    });
    this.shared.want(rooms, null);
    this.shared.start();
  }

  get kinds(): string[] {
    return this.heard.map(({ kind }) => kind);
  }

  /** Simulates a background tab of a phone: it keeps its lock and its stream, and sends nothing. */
  freezes(): void {
    const channel = channels.find(({ owner }) => owner === this)?.channel;
    Object.assign(channel ?? {}, { onmessage: null, postMessage: () => {} });
  }

  /** Simulates closing or crashing: the tab sends nothing, and its locks are released. */
  dies(): void {
    this.shared.stop();
    locks.kill(this.locks);
  }
}

const askedRooms = () => FakeEventSource.newest.query.getAll("room");

beforeEach(() => {
  locks = new FakeLocks();
  tabs = [];
  channels = [];
  refusesChannels = false;
  FakeEventSource.opened = [];
});

afterEach(() => {
  for (const tab of tabs) tab.shared.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("eight tabs share one stream, which carries the rooms of all of them", async () => {
  for (const room of ["a", "b", "c", "d", "e", "f", "a", "b"]) {
    new Tab(room);
    await settled();
  }
  const open = FakeEventSource.opened.filter((source) => !source.isClosed);
  expect(open).toHaveLength(1);
  expect(askedRooms()).toEqual(["a", "b", "c", "d", "e", "f"]);
});

test("every tab receives every event, in order", async () => {
  const leader = new Tab("a");
  await settled();
  const follower = new Tab("b");
  await settled();
  FakeEventSource.newest.says(hello(["a", "b"]));
  for (const seq of [1, 2, 3])
    FakeEventSource.newest.says(anEvent("message.posted", aMessage(seq, { room_id: "b" })));
  await settled();
  expect(follower.kinds).toEqual(["hello", "message.posted", "message.posted", "message.posted"]);
  expect(follower.heard).toEqual(leader.heard);
  expect([leader.status, follower.status]).toEqual(["live", "live"]);
});

test("a tab that joins receives the position of the stream and the presence counts", async () => {
  new Tab("a");
  await settled();
  FakeEventSource.newest.says(hello(["a"]));
  FakeEventSource.newest.says(anEvent("presence", { room_id: "a", users: 3, guests: 0 }));
  const late = new Tab("a");
  await settled();
  expect(late.kinds).toEqual(["hello", "presence"]);
  expect(late.heard[0]?.data).toMatchObject({ fresh: false });
  expect(late.status).toBe("live");
});

test("when the leader is gone, the next one resumes from the last event it received", async () => {
  const first = new Tab("a");
  await settled();
  const second = new Tab("b");
  await settled();
  FakeEventSource.newest.says(hello(["a", "b"]));
  const last = anEvent("message.posted", aMessage(1, { room_id: "b" }));
  FakeEventSource.newest.says(last);
  await settled();
  first.dies();
  await settled();
  expect(FakeEventSource.newest.isClosed).toBe(false);
  expect(FakeEventSource.newest.query.get("cursor")).toBe(last.id);
  FakeEventSource.newest.says(hello(["b"]));
  expect(second.heard.at(-1)?.data).not.toHaveProperty("fresh");
});

test("a closed tab's rooms are removed from the stream", async () => {
  new Tab("a");
  await settled();
  const other = new Tab("b");
  await settled();
  FakeEventSource.newest.says(hello(["a", "b"]));
  other.dies();
  await settled();
  expect(askedRooms()).toEqual(["a"]);
});

test("if tabs cannot elect a leader, each has its own stream", async () => {
  vi.stubGlobal("BroadcastChannel", undefined);
  new Tab("a");
  new Tab("b");
  await settled();
  expect(FakeEventSource.opened).toHaveLength(2);
});

test("a frozen leader is replaced within a second by a visible tab, and ignored later", async () => {
  vi.useFakeTimers(INTERVALS);
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("visible");
  const frozen = new Tab("a");
  await settled();
  const [awake, third] = [new Tab("b"), new Tab("c")];
  await settled();
  FakeEventSource.newest.says(hello(["a", "b", "c"]));
  const held = FakeEventSource.newest;
  await settled();
  frozen.freezes();
  await passes(700);
  expect(FakeEventSource.newest).toBe(held);
  await passes(500);
  expect(FakeEventSource.newest).not.toBe(held);
  FakeEventSource.newest.says(hello(["a", "b", "c"]));
  await settled();
  const heard = third.kinds.length + awake.kinds.length;
  otherReleaseSays({ kind: "event", from: "the deposed one", event: hello(["a"]) });
  await settled();
  expect(third.kinds.length + awake.kinds.length).toBe(heard);
  expect(held.isClosed).toBe(true);
});

test("a leader that responds keeps the lead, even if its stream is quiet", async () => {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("visible");
  vi.useFakeTimers(INTERVALS);
  new Tab("a");
  await settled();
  new Tab("a");
  await passes(1_500);
  expect(FakeEventSource.opened).toHaveLength(1);
});

test("a page that is hidden gives up the lead immediately, and rejoins when it is restored", async () => {
  const [first, second] = [new Tab("a"), new Tab("b")];
  await settled();
  FakeEventSource.newest.says(hello(["a", "b"]));
  // Only the first tab's page is unloaded: the listeners are on the one window that the tabs of this test share.
  second.shared.stop();
  window.dispatchEvent(new Event("pagehide"));
  expect(FakeEventSource.newest.isClosed).toBe(true);
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await settled();
  expect(FakeEventSource.newest.isClosed).toBe(false);
  expect(FakeEventSource.newest.query.get("cursor")).toBe(first.heard.at(-1)?.id);
});

test("unknown messages of another release are ignored, and a newer release is reported", async () => {
  new Tab("a");
  await settled();
  const follower = new Tab("a");
  await settled();
  FakeEventSource.newest.says(hello(["a"]));
  await settled();
  otherReleaseSays(
    null,
    "text",
    { kind: "tomorrow" },
    { kind: "status", status: "quantum" },
    { kind: "want", tab: 7, rooms: "a" },
    { kind: "event", event: { kind: "message.sung", id: "epoch.9", data: { id: "m" } } },
    { kind: "event", event: { kind: "message.posted", id: "epoch.9", data: { v: 2 } } },
  );
  await settled();
  expect(follower.kinds).toEqual(["hello"]);
  expect(follower.status).toBe("live");
  expect(follower.unknown).toBe(2);
});

test("a tab resumes after an event of an unknown kind, and before one of a known kind that it could not read", async () => {
  const leader = new Tab("a");
  await settled();
  new Tab("a");
  await settled();
  FakeEventSource.newest.says(hello(["a"]));
  await settled();
  otherReleaseSays(
    { kind: "event", event: { kind: "message.sung", id: "epoch.8", data: { id: "m" } } },
    { kind: "event", event: { kind: "message.posted", id: "epoch.9", data: { v: 2 } } },
  );
  await settled();
  leader.shared.stop();
  await settled();
  expect(FakeEventSource.newest.query.get("cursor")).toBe("epoch.8");
});

test("every tab is told when the stream is held back, older releases with a status that they know", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const said: unknown[] = [];
  const older = new RealChannel("gapless.stream");
  older.onmessage = ({ data }) => said.push(data.status);
  new Tab("a");
  const follower = new Tab("a");
  await vi.advanceTimersByTimeAsync(0);
  await vi.advanceTimersByTimeAsync(5_100);
  vi.useRealTimers();
  await settled();
  expect(follower.status).toBe("held-back");
  expect(said).toContain("reconnecting");
  expect(said).not.toContain("held-back");
  older.close();
});

test.each([
  ["locks", () => vi.spyOn(locks, "request").mockRejectedValue(new DOMException("no", "SecurityError"))],
  [
    "channels",
    () =>
      vi.stubGlobal(
        "BroadcastChannel",
        class {
          constructor() {
            throw new DOMException("no", "SecurityError");
          }
        },
      ),
  ],
])("if the browser refuses %s, each tab has its own stream", async (what, refuse) => {
  refuse();
  refusesChannels = what === "channels";
  new Tab("a");
  await settled();
  expect(FakeEventSource.opened).toHaveLength(1);
  FakeEventSource.newest.says(hello(["a"]));
  expect(tabs[0]?.kinds).toEqual(["hello"]);
});
