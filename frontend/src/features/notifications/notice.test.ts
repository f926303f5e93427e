import { expect, test } from "vitest";
import { apply } from "../../realtime/apply";
import { withRooms } from "../../realtime/snapshots";
import { type ChatState, EMPTY_STATE } from "../../realtime/state";
import { ALI, aDirect, aMessage, anEvent, aRoom, ZOE } from "../../testing/wire";
import { noticesOf } from "./notice";

type Level = "all" | "mentions" | "none";

/** Ali's state, with one room that is read up to its fourth message. */
function stateOf(level: Level = "mentions", isOpen = true): ChatState {
  const membership = { read_seq: 4, unread: 0, mentions: 0, level };
  const room = { ...aRoom({ head_seq: 4 }), membership };
  const state = withRooms({ ...EMPTY_STATE, viewer: { ...ALI, role: "user" } }, { rooms: [room] }, 0);
  return isOpen ? { ...state, coverage: { ...state.coverage, rooms: { "room-1": 1 } } } : state;
}

function heard(event: Parameters<typeof noticesOf>[0], before = stateOf(), preview = true) {
  return noticesOf(event, before, apply(before, event), preview);
}

const fromZoe = (seq: number, message: Parameters<typeof aMessage>[1] = {}) =>
  anEvent("message.posted", aMessage(seq, { author: ZOE, ...message }));

const ID = "01a22ddd-ca17-73e4-a25b-5a95267369b4";

test("a mention and a reply notify, with the name in place of the id", () => {
  const bo = { id: ID, username: "bo" };
  const body = `@[user:${ID}] and\n\n  more`;
  expect(heard(fromZoe(5, { mentions: [ALI, bo], body }))).toEqual([
    {
      kind: "mention",
      room: { id: "room-1", name: "General" },
      from: "zoe",
      text: "@bo and more",
      url: "/r/general-room-1/5",
      tag: "room:room-1",
      pos: 105,
    },
  ]);
  const reply_to = { seq: 1, author: ALI, excerpt: "", is_deleted: false } as never;
  expect(heard(fromZoe(5, { reply_to }))).toMatchObject([{ kind: "reply" }]);
});

test.each<[Level, string[]]>([
  ["all", ["message", "mention"]],
  ["mentions", ["mention"]],
  ["none", []],
])("level %s", (level, kinds) => {
  const all = [
    ...heard(fromZoe(5), stateOf(level)),
    ...heard(fromZoe(6, { mentions: [ALI] }), stateOf(level)),
  ];
  expect(all.map(({ kind }) => kind)).toEqual(kinds);
});

test("one's own messages, and those that were read, never notify", () => {
  const state = stateOf("all");
  expect(heard(anEvent("message.posted", aMessage(5, { mentions: [ALI] })), state)).toEqual([]);
  expect(heard(fromZoe(4, { mentions: [ALI] }), state)).toEqual([]);
  expect(heard(anEvent("direct.posted", aDirect(9, { sender: ALI, recipient: ZOE })), state)).toEqual([]);
});

test("without preview, neither the text nor who wrote privately is shown", () => {
  expect(heard(fromZoe(5, { mentions: [ALI] }), stateOf(), false)).toMatchObject([
    { from: "zoe", text: null },
  ]);
  expect(heard(anEvent("direct.posted", aDirect(9)), stateOf(), false)).toEqual([
    {
      kind: "direct",
      room: null,
      from: null,
      text: null,
      url: "/dm/user-zoe",
      tag: "direct:user-zoe",
      pos: 9,
    },
  ]);
});

test("long texts are cut between characters", () => {
  const [notice] = heard(fromZoe(5, { mentions: [ALI], body: "🔥".repeat(200) }));
  expect(notice?.text).toBe(`${"🔥".repeat(159)}…`);
});

test("a room of level all that is not open notifies with the number of its messages", () => {
  const news = anEvent("lobby", { rooms: [{ id: "room-1", head_seq: 7, users: 1, guests: 0 }] });
  expect(heard(news, stateOf("all", false))).toMatchObject([
    { kind: "message", count: 3, from: null, tag: "room:room-1", url: "/r/general-room-1/7" },
  ]);
  expect(heard(news, stateOf("mentions", false))).toEqual([]);
  expect(heard(news, stateOf("all"))).toEqual([]);
});

test("a mention in a room that is not open arrives by the inbox", () => {
  const item = {
    at: "2026-11-22T09:00:00Z",
    kind: "mention" as const,
    message: aMessage(5, { author: ZOE, mentions: [ALI] }),
    pos: 105,
    read: false,
    room: { id: "room-1", name: "General", slug: "general" },
  };
  const expected = { kind: "mention", from: "zoe", tag: "room:room-1", url: "/r/general-room-1/5", pos: 105 };
  expect(heard(anEvent("inbox.added", item), stateOf("mentions", false))).toMatchObject([expected]);
  // A room that this browser has not listed yet.
  const unlisted = { ...stateOf(), rooms: {} };
  expect(heard(anEvent("inbox.added", item), unlisted)).toMatchObject([expected]);
  expect(heard(anEvent("inbox.added", item), stateOf("none", false))).toEqual([]);
  expect(heard(anEvent("inbox.added", { ...item, read: true }))).toEqual([]);
  const direct = { ...item, kind: "direct" as const, message: aDirect(9), room: null };
  expect(heard(anEvent("inbox.added", direct))).toMatchObject([{ kind: "direct", tag: "direct:user-zoe" }]);
});
