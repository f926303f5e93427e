import { expect, test } from "vitest";
import type { InboxItem } from "../api/gen/types.gen";
import { ALI, aDirect, aMessage, anEvent, aRoom, ZOE } from "../testing/wire";
import { apply } from "./apply";
import { withInbox, withInboxItem, withMoreInbox } from "./inbox";
import { withRooms, withViewer } from "./snapshots";
import { type ChatState, EMPTY_STATE } from "./state";

const item = (seq: number, read = false): InboxItem => ({
  kind: "mention",
  pos: 100 + seq,
  message: aMessage(seq, { author: ZOE }),
  room: { id: "room-1", name: "General", slug: "general" },
  at: "2026-11-29T12:00:00Z",
  read,
});
const order = (state: ChatState) => state.inbox.items.map(({ pos }) => pos);
const ofAli = withViewer(EMPTY_STATE, { ...ALI, role: "user" });
const loaded = withInbox(ofAli, { items: [item(5), item(3)], next: "103" });

test("an item from the stream is added once, in order, and counts as a mention of its room", () => {
  const membership = { read_seq: 5, unread: 0, mentions: 0, level: "mentions" as const };
  const room = { ...aRoom({ head_seq: 5 }), membership };
  const state = withRooms(loaded, { rooms: [room], next: null }, 0);
  const next = [item(7), item(7), item(6), item(5)].reduce(withInboxItem, state);
  expect(order(next)).toEqual([107, 106, 105, 103]);
  expect(next.rooms?.["room-1"]?.membership?.mentions).toBe(2);
});

test("a page is continued only where the list ends", () => {
  const page = { items: [item(2)], next: null };
  expect(order(withMoreInbox(loaded, page, "103"))).toEqual([105, 103, 102]);
  expect(withMoreInbox(loaded, page, "99")).toBe(loaded);
});

test("a first page that is loaded again keeps newer items and drops older ones", () => {
  const news = withInboxItem(withMoreInbox(loaded, { items: [item(1)], next: null }, "103"), item(8));
  const again = withInbox(news, { items: [item(5), item(4)], next: "104" });
  expect(order(again)).toEqual([108, 105, 104]);
  expect(again.inbox.next).toBe("104");
});

test("edits, deletions and erasures follow", () => {
  const edited = apply(loaded, anEvent("message.edited", aMessage(5, { author: ZOE, body: "new" })));
  expect(edited.inbox.items[0]?.message.body).toBe("new");
  const gone = { id: "message-5", room_id: "room-1", seq: 5, pos: 300 };
  expect(order(apply(loaded, anEvent("message.deleted", gone as never)))).toEqual([103]);
  expect(order(apply(loaded, anEvent("user.erased", ZOE)))).toEqual([]);
});

test("a private message is an item of its recipient only", () => {
  const received = apply(loaded, anEvent("direct.posted", aDirect(200)));
  expect(order(received)).toEqual([200, 105, 103]);
  const sent = aDirect(201, { sender: ALI, recipient: ZOE });
  expect(order(apply(loaded, anEvent("direct.posted", sent)))).toEqual([105, 103]);
});

test("nothing is left for the next user", () => {
  expect(withViewer(loaded, { ...ZOE, role: "user" }).inbox).toEqual(EMPTY_STATE.inbox);
});
