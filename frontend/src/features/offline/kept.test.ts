import { beforeEach, expect, test, vi } from "vitest";
import { withKept, withNewestMessages, withRooms } from "../../realtime/snapshots";
import { EMPTY_LOG, EMPTY_STATE, shownMessages, timelineMessage } from "../../realtime/state";
import { chat } from "../../realtime/store";
import { aMessage, aRoom } from "../../testing/wire";
import { session } from "../session/session";
import { keepRoom, keptRooms } from "./kept";
import { forgetOtherReaders } from "./readers";
import { Keeper } from "./start";

/** The browser's caches, which jsdom does not have. */
function fakeCaches() {
  const all = new Map<string, Map<string, Response>>();
  return {
    open: async (name: string) => {
      const entries = all.get(name) ?? new Map<string, Response>();
      all.set(name, entries);
      return {
        put: async (key: string, response: Response) => void entries.set(key, response),
        match: async (key: string) => entries.get(key)?.clone(),
        keys: async () => [...entries.keys()],
        delete: async (key: string) => entries.delete(key),
      };
    },
    delete: async (name: string) => all.delete(name),
    keys: async () => [...all.keys()],
  };
}

const NOW = new Date("2026-11-29T12:00:00Z");
const messages = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => timelineMessage(aMessage(from + at)));
const membership = { read_seq: 1, unread: 2, mentions: 0, level: "mentions" as const };

beforeEach(() => {
  vi.stubGlobal("caches", fakeCaches());
  chat.update(() => EMPTY_STATE);
});

test("the newest messages of a room are kept, and nothing about the reader", async () => {
  const reactions = [{ emoji: "👍", count: 2, mine: true }];
  const all = messages(1, 300).map((message) => ({ ...message, reactions }));
  await keepRoom({ ...aRoom({ head_seq: 300 }), membership }, all, NOW);
  const [kept] = await keptRooms(NOW);
  expect(kept?.messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, at) => 101 + at));
  expect(kept?.room).toEqual(aRoom({ head_seq: 300 }));
  expect(kept?.messages[0]?.reactions).toEqual([{ emoji: "👍", count: 2, mine: false }]);
  expect(kept?.readAt).toBe(NOW.toISOString());
});

test("a room that was not opened for two weeks is forgotten", async () => {
  await keepRoom(aRoom(), messages(1, 2), NOW);
  expect(await keptRooms(new Date(NOW.getTime() + 13 * 86_400_000))).toHaveLength(1);
  expect(await keptRooms(new Date(NOW.getTime() + 15 * 86_400_000))).toEqual([]);
  expect(await keptRooms(NOW)).toEqual([]);
});

test("kept rooms are shown until the server answers", async () => {
  await keepRoom(aRoom({ head_seq: 3 }), messages(2, 3), NOW);
  const offline = withKept(EMPTY_STATE, await keptRooms(NOW));
  expect(shownMessages(offline.logs["room-1"] ?? EMPTY_LOG).map(({ seq }) => seq)).toEqual([2, 3]);
  expect(offline.kept).toEqual({ "room-1": NOW.toISOString() });
  const listed = withRooms(offline, { rooms: [aRoom({ head_seq: 4 })], next: null }, 0);
  expect(listed.kept).toBeNull();
  const page = { messages: [aMessage(3), aMessage(4)], head_seq: 4 };
  const online = withNewestMessages(listed, "room-1", page);
  expect(shownMessages(online.logs["room-1"] ?? EMPTY_LOG).map(({ seq }) => seq)).toEqual([3, 4]);
  expect(withKept(listed, await keptRooms(NOW))).toBe(listed);
});

test("a tab keeps rooms that the stream covers, until they are archived", async () => {
  const keeper = new Keeper();
  const open = { ...EMPTY_LOG, messages: messages(1, 2), from: 1 };
  const rooms = { "room-1": aRoom(), "room-2": aRoom({ id: "room-2" }) };
  const coverage = { ...EMPTY_STATE.coverage, rooms: { "room-1": 1, "room-2": 1 } };
  chat.update((state) => ({ ...state, rooms, logs: { "room-1": open, "room-2": open } }));
  await keeper.keep();
  expect(await keptRooms()).toEqual([]);
  chat.update((state) => ({ ...state, coverage }));
  await keeper.keep();
  expect((await keptRooms()).map(({ room }) => room.id)).toEqual(["room-1", "room-2"]);
  chat.update((state) => ({
    ...state,
    archived: { "room-2": aRoom({ id: "room-2" }) },
    logs: { "room-1": open },
  }));
  await keeper.keep();
  expect((await keptRooms()).map(({ room }) => room.id)).toEqual(["room-1"]);
});

test("a reader finds nothing of another one, and signing out deletes it", async () => {
  const reader = vi.spyOn(session, "userId", "get");
  reader.mockReturnValue("ali");
  await keepRoom(aRoom(), messages(1, 2));
  expect(await keptRooms()).toHaveLength(1);
  reader.mockReturnValue(null);
  expect(await keptRooms()).toEqual([]);
  await forgetOtherReaders();
  reader.mockReturnValue("ali");
  expect(await keptRooms()).toEqual([]);
});

test("what a tab is keeping while another one signs out is deleted as well", async () => {
  const reader = vi.spyOn(session, "userId", "get");
  reader.mockReturnValue("ali");
  const isKeeping = keepRoom(aRoom(), messages(1, 2));
  reader.mockReturnValue(null);
  await forgetOtherReaders();
  await isKeeping;
  reader.mockReturnValue("ali");
  expect(await keptRooms()).toEqual([]);
});
