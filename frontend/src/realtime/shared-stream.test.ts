import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeEventSource } from "../testing/fake-event-source";
import { FakeLocks, type FakeTab } from "../testing/fake-locks";
import { aMessage, anEvent, hello } from "../testing/wire";
import type { ServerEvent } from "./events";
import { SharedStream } from "./shared-stream";

/** Enough turns of the event loop for locks and channels, and for nothing else. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

let locks: FakeLocks;
let tabs: Tab[];

/** One tab of a browser, with what its stream told it. */
class Tab {
  readonly locks: FakeTab = locks.tab();
  readonly heard: ServerEvent[] = [];
  readonly shared: SharedStream;
  status = "";

  constructor(...rooms: string[]) {
    tabs.push(this);
    vi.stubGlobal("navigator", { locks: this.locks, onLine: true });
    this.shared = new SharedStream({
      openSource: (query) => new FakeEventSource(query) as unknown as EventSource,
      onEvent: (event) => this.heard.push(event),
      onStatus: (status) => {
        this.status = status;
      },
      onTokenEnding: () => {},
    });
    this.shared.want(rooms, null);
    this.shared.start();
  }

  get kinds(): string[] {
    return this.heard.map(({ kind }) => kind);
  }

  /** As when it is closed or crashes: it says nothing, and its locks fall. */
  dies(): void {
    this.shared.stop();
    locks.kill(this.locks);
  }
}

const askedRooms = () => FakeEventSource.newest.query.getAll("room");

beforeEach(() => {
  locks = new FakeLocks();
  tabs = [];
  FakeEventSource.opened = [];
});

afterEach(() => {
  for (const tab of tabs) tab.shared.stop();
  vi.unstubAllGlobals();
});

test("eight tabs keep one stream, which carries what all of them look at", async () => {
  for (const room of ["a", "b", "c", "d", "e", "f", "a", "b"]) {
    new Tab(room);
    await settled();
  }
  const open = FakeEventSource.opened.filter((source) => !source.isClosed);
  expect(open).toHaveLength(1);
  expect(askedRooms()).toEqual(["a", "b", "c", "d", "e", "f"]);
});

test("every tab hears every event, in order", async () => {
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

test("a tab that joins learns where the stream stands, and who is there", async () => {
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

test("when the leader dies the next resumes from the last event it heard", async () => {
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

test("a closed tab's rooms leave the stream", async () => {
  new Tab("a");
  await settled();
  const other = new Tab("b");
  await settled();
  FakeEventSource.newest.says(hello(["a", "b"]));
  other.dies();
  await settled();
  expect(askedRooms()).toEqual(["a"]);
});

test("where tabs cannot elect, each has a stream of its own", async () => {
  vi.stubGlobal("BroadcastChannel", undefined);
  new Tab("a");
  new Tab("b");
  await settled();
  expect(FakeEventSource.opened).toHaveLength(2);
});
