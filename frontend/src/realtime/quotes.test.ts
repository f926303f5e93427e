import { expect, test } from "vitest";
import type { AnyMessage } from "../api/earlier-release";
import { ALI, aMessage, anEvent, aRoom, hello, ZOE } from "../testing/wire";
import { apply } from "./apply";
import type { ServerEvent } from "./server-event";
import { withNewestMessages, withOlderMessages, withOpenRoom, withRooms } from "./snapshots";
import { type ChatState, EMPTY_LOG, EMPTY_STATE, shownMessages } from "./state";

const reply = (seq: number, to: number, more: Partial<AnyMessage> = {}) => ({
  ...aMessage(seq, { author: ZOE }),
  reply_to: { seq: to, author: ALI, excerpt: `body ${to}` },
  ...more,
});

/** A room whose messages 11 to 13 are loaded: 12 answers 11, and 13 answers 5. */
function opened(): ChatState {
  let state = withRooms(EMPTY_STATE, { rooms: [aRoom({ head_seq: 13 })] }, 0);
  state = apply(withOpenRoom(state, "room-1"), hello());
  const messages = [aMessage(11), reply(12, 11), reply(13, 5)];
  return withNewestMessages(state, "room-1", { messages, head_seq: 13 });
}

const quotes = (state: ChatState) =>
  shownMessages(state.logs["room-1"] ?? EMPTY_LOG).flatMap(({ seq, reply_to }) =>
    reply_to ? [[seq, reply_to.author?.username ?? null, reply_to.excerpt]] : [],
  );
const after = (...events: ServerEvent[]) => quotes(events.reduce(apply, opened()));
const deleted = (seq: number) =>
  anEvent("message.deleted", { id: `message-${seq}`, room_id: "room-1", seq, pos: 900 + seq });
const edited = (seq: number, body: string, hour = 10) =>
  anEvent("message.edited", aMessage(seq, { body, edited_at: `2026-11-22T${hour}:00:00Z` }));

test("a server of an earlier release sends no quotes", () => {
  const state = apply(opened(), anEvent("message.posted", aMessage(14)));
  expect(state.logs["room-1"]?.messages.at(-1)?.reply_to).toBeNull();
});

test("a quote follows the edits of its original, loaded or not", () => {
  expect(after(edited(11, "newer"))).toEqual([
    [12, "ali", "newer"],
    [13, "ali", "body 5"],
  ]);
  expect(after(edited(5, "far away"))).toEqual([
    [12, "ali", "body 11"],
    [13, "ali", "far away"],
  ]);
  // An edit that comes late does not undo a newer one.
  expect(after(edited(11, "newest", 12), edited(11, "newer"))[0]).toEqual([12, "ali", "newest"]);
  // Cut by characters, as the server does.
  expect(after(edited(11, "🎉".repeat(200)))[0]?.[2]).toBe("🎉".repeat(160));
});

test("a quote follows the deletion of its original, also if an edit comes late", () => {
  expect(after(deleted(11), deleted(5))).toEqual([
    [12, "ali", null],
    [13, "ali", null],
  ]);
  expect(after(deleted(11), edited(11, "newer"))[0]).toEqual([12, "ali", null]);
});

test("a deleted reply loses its quote", () => {
  expect(after(deleted(12))).toEqual([[13, "ali", "body 5"]]);
});

test("of an original that is too old nothing is left, and an erased author is renamed", () => {
  const trimmed = anEvent("room.trimmed", { room_id: "room-1", first_seq: 11 });
  expect(after(trimmed)).toEqual([
    [12, "ali", "body 11"],
    [13, null, null],
  ]);
  const erased = after(anEvent("user.erased", { ...ALI, username: "deleted-1" }));
  expect(erased.map(([, author]) => author)).toEqual(["deleted-1", "deleted-1"]);
});

test("older pages bring their quotes", () => {
  const state = withOlderMessages(opened(), "room-1", [reply(10, 9)]);
  expect(quotes(state)[0]).toEqual([10, "ali", "body 9"]);
});
