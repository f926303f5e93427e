import { describe, expect, test } from "vitest";
import { ALI, aDirect, aMessage, anEvent, aRoom, hello, ZOE } from "../testing/wire";
import { apply, withMark } from "./apply";
import { EVENT_KINDS, type EventKind } from "./events";
import { withPins } from "./pins";
import type { ServerEvent } from "./server-event";
import {
  withConversations,
  withDirects,
  withMessagesAround,
  withMoreRooms,
  withNewerMessages,
  withNewestMessages,
  withOlderMessages,
  withOpenRoom,
  withoutFarMessages,
  withPolledMessages,
  withRoom,
  withRooms,
  withViewer,
} from "./snapshots";
import { type ChatState, EMPTY_LOG, EMPTY_STATE, shownMessages } from "./state";

const viewer = { ...ALI, role: "user" as const };

/** A page with one open room of three messages, signed in as Ali. */
function opened(): ChatState {
  let state = withViewer(EMPTY_STATE, viewer);
  state = withRooms(state, { rooms: [aRoom({ head_seq: 3 }), aRoom({ id: "room-2", name: "Help" })] }, 0);
  state = withOpenRoom(state, "room-1");
  state = apply(state, hello(["room-1"], { user: viewer }));
  return withNewestMessages(state, "room-1", {
    messages: [1, 2, 3].map((seq) => aMessage(seq)),
    head_seq: 3,
  });
}

const shown = (state: ChatState) => shownMessages(state.logs["room-1"] ?? EMPTY_LOG);
const bodies = (state: ChatState) => shown(state).map(({ body }) => body);
const having = (...events: ServerEvent[]) => events.reduce(apply, opened());

/** The same page where the server keeps the marks: 4 unread messages in the other room. */
function member(): ChatState {
  const membership = { read_seq: 5, unread: 4, mentions: 0, level: "all" as const };
  const room = { ...aRoom({ id: "room-2", name: "Help", head_seq: 9 }), membership };
  return withMoreRooms(opened(), { rooms: [room] }, 0);
}
const unread = (state: ChatState) => state.rooms?.["room-2"]?.membership?.unread;

const CHECKS: { [Kind in EventKind]: () => void } = {
  hello() {
    const state = having(hello(["room-1", "room-2"], { missing: ["gone"], user: viewer }));
    expect(state.coverage.rooms["room-1"]).toBe(opened().coverage.rooms["room-1"]);
    expect(state.coverage.rooms["room-2"]).toBeGreaterThan(0);
    expect(state.missing).toEqual(["gone"]);
    const left = apply(state, hello(["room-2"], { user: viewer }));
    expect(left.coverage.rooms["room-1"]).toBeUndefined();
    const fresh = apply(state, hello(["room-1"], { user: viewer, fresh: true }));
    expect(fresh.coverage.rooms["room-1"]).toBeGreaterThan(state.coverage.rooms["room-1"] ?? 0);
    expect(fresh.coverage.lobby).toBeGreaterThan(state.coverage.lobby);
  },
  "message.posted"() {
    const state = having(anEvent("message.posted", aMessage(4)), anEvent("message.posted", aMessage(4)));
    expect(bodies(state)).toEqual(["body 1", "body 2", "body 3", "body 4"]);
    expect(state.rooms?.["room-1"]?.head_seq).toBe(4);
    const elsewhere = having(anEvent("message.posted", aMessage(9, { room_id: "room-2" })));
    expect(elsewhere.rooms?.["room-2"]?.head_seq).toBe(9);
    expect(elsewhere.logs["room-2"]).toBeUndefined();
  },
  "message.edited"() {
    const edited = aMessage(2, { body: "newer", edited_at: "2026-11-22T10:00:00Z" });
    const state = having(anEvent("message.edited", edited));
    expect(bodies(state)).toEqual(["body 1", "newer", "body 3"]);
    const older = aMessage(2, { body: "older", edited_at: "2026-11-22T09:30:00Z" });
    expect(bodies(apply(state, anEvent("message.edited", older)))).toEqual(["body 1", "newer", "body 3"]);
  },
  "message.pinned"() {
    const ids = (state: ChatState) => state.pins["room-1"]?.map(({ id }) => id);
    const unknown = having(anEvent("message.pinned", aMessage(2)));
    expect([shown(unknown), ids(unknown)]).toEqual([shown(opened()), undefined]);
    expect(unknown.pinsVersion).toBe(1);

    const loaded = withPins(opened(), "room-1", [aMessage(1)]);
    const pinned = apply(loaded, anEvent("message.pinned", aMessage(3)));
    expect(ids(pinned)).toEqual(["message-3", "message-1"]);
    expect(ids(apply(pinned, anEvent("message.pinned", aMessage(1))))).toEqual(["message-1", "message-3"]);

    const edited = apply(pinned, anEvent("message.edited", aMessage(3, { body: "newer" })));
    expect(edited.pins["room-1"]?.[0]?.body).toBe("newer");
    const deleted = { id: "message-3", room_id: "room-1", seq: 3, pos: 200 };
    expect(ids(apply(pinned, anEvent("message.deleted", deleted)))).toEqual(["message-1"]);
    const trimmed = apply(pinned, anEvent("room.trimmed", { room_id: "room-1", first_seq: 2 }));
    expect(ids(trimmed)).toEqual(["message-3"]);
    const erased = apply(pinned, anEvent("user.erased", { ...ALI, username: "erased-1" }));
    expect(erased.pins["room-1"]?.[0]?.author.username).toBe("erased-1");
    expect(apply(pinned, anEvent("message.edited", aMessage(2))).pins).toBe(pinned.pins);
  },
  "message.unpinned"() {
    const loaded = withPins(opened(), "room-1", [aMessage(2), aMessage(1)]);
    const state = apply(loaded, anEvent("message.unpinned", aMessage(2)));
    expect(state.pins["room-1"]?.map(({ id }) => id)).toEqual(["message-1"]);
    expect(shown(state)).toEqual(shown(opened()));
  },
  "message.reactions"() {
    const of2 = { id: "message-2", room_id: "room-1", seq: 2 };
    const change = (user_id: string, added: boolean) => ({ user_id, emoji: "👍", added });
    const counted = (count: number) => [{ emoji: "👍", count }];
    const seen = (state: ChatState) => shown(state)[1]?.reactions;
    const first = anEvent("message.reactions", {
      ...of2,
      reactions: counted(1),
      changes: [change(ZOE.id, true)],
    });
    expect(seen(having(first))).toEqual([{ emoji: "👍", count: 1, mine: false }]);
    const own = anEvent("message.reactions", {
      ...of2,
      reactions: counted(2),
      changes: [change(ALI.id, true)],
    });
    const third = { ...of2, reactions: counted(3), changes: [change("user-max", true)] };
    const state = having(first, own, anEvent("message.reactions", third));
    expect(seen(state)).toEqual([{ emoji: "👍", count: 3, mine: true }]);
    // Events of messages do not know whose reactions they carry.
    const reactions = [{ emoji: "👍", count: 3, mine: false }];
    const edited = aMessage(2, { body: "newer", edited_at: "2026-11-22T10:00:00Z", reactions });
    expect(seen(apply(state, anEvent("message.edited", edited)))).toEqual(seen(state));
    const less = { ...of2, reactions: counted(2), changes: [change(ALI.id, false)] };
    expect(seen(apply(state, anEvent("message.reactions", less)))).toEqual([
      { emoji: "👍", count: 2, mine: false },
    ]);
    const deletion = anEvent("message.deleted", { id: "message-2", room_id: "room-1", seq: 2, pos: 110 });
    expect(seen(apply(apply(state, deletion), own))).toEqual([]);
  },
  "room.trimmed"() {
    const trimmed = anEvent("room.trimmed", { room_id: "room-1", first_seq: 3 });
    const state = having(trimmed, anEvent("message.posted", aMessage(4)));
    expect(bodies(state)).toEqual(["body 3", "body 4"]);
    expect(state.logs["room-1"]).toMatchObject({ from: 3, first: 3 });
    // A page on its way, and events of before that another tab repeats, bring nothing back.
    const late = withOlderMessages(apply(state, trimmed), "room-1", [aMessage(1), aMessage(2)]);
    expect(bodies(late)).toEqual(["body 3", "body 4"]);
    expect(late.logs["room-1"]?.from).toBe(3);
    const page = { messages: [aMessage(2), aMessage(3), aMessage(4)], head_seq: 4 };
    expect(bodies(withNewestMessages(state, "room-1", { ...page, first_seq: 1 }))).toEqual([
      "body 3",
      "body 4",
    ]);
    const trimmedPage = { messages: [aMessage(4)], head_seq: 4, first_seq: 4 };
    expect(bodies(withPolledMessages(state, "room-1", trimmedPage))).toEqual(["body 4"]);
    const all = having(anEvent("room.trimmed", { room_id: "room-1", first_seq: 4 }));
    expect(shown(all)).toEqual([]);
    expect(apply(opened(), anEvent("room.trimmed", { room_id: "room-2", first_seq: 4 })).logs).toEqual(
      opened().logs,
    );
  },
  "message.deleted"() {
    const deletion = anEvent("message.deleted", { id: "message-2", room_id: "room-1", seq: 2, pos: 110 });
    const state = having(deletion);
    expect(bodies(state)).toEqual(["body 1", null, "body 3"]);
    const late = anEvent("message.edited", aMessage(2, { body: "back?", edited_at: "2026-11-22T12:00:00Z" }));
    expect(bodies(apply(state, late))).toEqual(["body 1", null, "body 3"]);
    // The deletion may arrive before a page that still contains the body.
    const early = having(
      anEvent("message.deleted", { id: "message-0", room_id: "room-1", seq: 0, pos: 111 }),
    );
    expect(bodies(withOlderMessages(early, "room-1", [aMessage(0)]))[0]).toBeNull();
  },
  "direct.posted"() {
    const state = having(anEvent("direct.posted", aDirect(7)), anEvent("direct.posted", aDirect(7)));
    expect(state.conversations[ZOE.id]?.messages).toHaveLength(1);
    const own = having(anEvent("direct.posted", aDirect(8, { sender: ALI, recipient: ZOE })));
    expect(own.conversations[ZOE.id]?.messages).toHaveLength(1);
    const strange = { id: "user-max", username: "max" };
    const foreign = anEvent("direct.posted", aDirect(9, { recipient: strange }));
    expect(having(foreign)).toEqual(opened());
  },
  "room.created"() {
    const state = having(anEvent("room.created", aRoom({ id: "room-3", name: "New" })));
    expect(state.rooms?.["room-3"]?.name).toBe("New");
    expect(state.roomsVersion).toBe(1);
  },
  "room.renamed"() {
    const state = having(
      anEvent("presence", { room_id: "room-1", users: 2, guests: 1 }),
      anEvent("room.renamed", aRoom({ name: "Lobby", head_seq: 1 })),
    );
    expect(state.rooms?.["room-1"]).toMatchObject({
      name: "Lobby",
      head_seq: 3,
      online: { users: 2, guests: 1 },
    });
  },
  "room.archived"() {
    const state = having(anEvent("room.archived", aRoom({ is_archived: true })));
    expect(state.rooms?.["room-1"]).toBeUndefined();
    expect(state.archived["room-1"]?.name).toBe("General");
  },
  "room.restored"() {
    const state = having(
      anEvent("room.archived", aRoom({ is_archived: true })),
      anEvent("room.restored", aRoom()),
    );
    expect(state.rooms?.["room-1"]?.name).toBe("General");
    expect(state.archived).toEqual({});
    expect(bodies(state)).toHaveLength(3);
  },
  "room.retention_set"() {
    const state = having(anEvent("room.retention_set", aRoom({ retention_days: 30 })));
    expect(state.rooms?.["room-1"]).toMatchObject({ retention_days: 30, head_seq: 3 });
    const archived = aRoom({ id: "room-9", is_archived: true, retention_days: 30 });
    expect(having(anEvent("room.retention_set", archived)).rooms?.["room-9"]).toBeUndefined();
  },
  "room.landing_set"() {
    const [first, second] = [aRoom({ id: "room-8", landing: true }), aRoom({ id: "room-9" })];
    const before = { ...having(anEvent("room.created", first)), landing: "room-8" };
    const moved = apply(before, anEvent("room.landing_set", { ...second, landing: true }));
    expect(moved.landing).toBe("room-9");
    const landing = Object.values(moved.rooms ?? {}).filter((room) => room.landing);
    expect(landing.map(({ id }) => id)).toEqual(["room-9"]);
    // It was archived since: it stays archived, and there is none.
    const gone = apply(before, anEvent("room.landing_set", { ...second, landing: true, is_archived: true }));
    expect([gone.landing, gone.rooms?.["room-8"]?.landing, gone.rooms?.["room-9"]]).toEqual([
      null,
      false,
      undefined,
    ]);
    expect(apply(moved, anEvent("room.archived", { ...second, is_archived: true })).landing).toBeNull();
  },
  "room.indexable_set"() {
    const state = having(anEvent("room.indexable_set", aRoom({ indexable: false })));
    expect(state.rooms?.["room-1"]).toMatchObject({ indexable: false, head_seq: 3 });
  },
  "room.topic_set"() {
    const state = having(anEvent("room.topic_set", aRoom({ topic: "Help and news" })));
    expect(state.rooms?.["room-1"]).toMatchObject({ topic: "Help and news", head_seq: 3 });
    const archived = aRoom({ id: "room-9", is_archived: true, topic: "Old news" });
    expect(having(anEvent("room.topic_set", archived)).rooms?.["room-9"]).toBeUndefined();
  },
  "room.read"() {
    const read = { room_id: "room-2", read_seq: 7, unread: 2, mentions: 1, level: "all" } as const;
    const state = apply(member(), anEvent("room.read", read));
    expect(state.rooms?.["room-2"]?.membership).toMatchObject({ read_seq: 7, unread: 2, mentions: 1 });
    expect(having(anEvent("room.read", read)).rooms).toEqual(opened().rooms);
  },
  "inbox.added"() {
    const item = (seq: number) => {
      const message = aMessage(seq, { room_id: "room-2", mentions: [ALI] });
      const room = { id: "room-2", name: "Help", slug: "help" };
      return anEvent("inbox.added", {
        kind: "mention",
        pos: message.pos,
        message,
        room,
        at: message.created_at,
        read: false,
      });
    };
    const mentions = (state: ChatState) => state.rooms?.["room-2"]?.membership?.mentions;
    expect(mentions(apply(member(), item(9)))).toBe(1);
    expect(mentions(apply(member(), item(5)))).toBe(0);
    expect(having(item(9)).rooms).toEqual(opened().rooms);
  },
  "user.erased"() {
    const left = { id: ZOE.id, username: "erased-0123456789ab" };
    const state = having(
      anEvent("message.posted", aMessage(4, { author: ZOE })),
      anEvent("direct.posted", aDirect(7)),
      anEvent("user.erased", left),
    );
    expect(shown(state).map(({ author }) => author)).toEqual([ALI, ALI, ALI, left]);
    expect(state.conversations).toEqual({});
    // Responses that were on their way do not bring anything back.
    const late = withConversations(state, [{ user: { ...ZOE, role: "admin" }, last_message: aDirect(7) }]);
    expect(late.conversations).toEqual({});
    const page = { messages: [aDirect(7)], isComplete: true, isOlder: false };
    expect(withDirects(state, ZOE, page).conversations).toEqual({});
    expect(apply(state, anEvent("direct.posted", aDirect(8))).conversations).toEqual({});
  },
  "user.changed"() {
    const muted = {
      ...viewer,
      role: "admin" as const,
      muted_until: "2026-11-23T00:00:00Z",
      mute_reason: "loud",
    };
    expect(having(anEvent("user.changed", muted)).viewer).toEqual(muted);
    expect(having(anEvent("user.changed", { ...muted, id: "somebody else" })).viewer).toMatchObject(viewer);
  },
  presence() {
    const state = having(anEvent("presence", { room_id: "room-1", users: 5, guests: 2 }));
    expect(state.rooms?.["room-1"]?.online).toEqual({ users: 5, guests: 2 });
  },
  lobby() {
    const counts = [
      { id: "room-2", head_seq: 4, users: 1, guests: 0 },
      { id: "unknown", head_seq: 9, users: 9, guests: 9 },
    ];
    const state = having(anEvent("lobby", { rooms: counts }));
    expect(state.rooms?.["room-2"]?.online).toEqual({ users: 1, guests: 0 });
    expect(Object.keys(state.rooms ?? {})).toEqual(["room-1", "room-2"]);
  },
  typing: () => isIgnored(anEvent("typing", { room_id: "room-1", user: ZOE })),
  heartbeat: () => isIgnored(anEvent("heartbeat", {})),
  expiring: () => isIgnored(anEvent("expiring", { expires_at: "2026-11-22T12:00:00Z" })),
  drain: () => isIgnored(anEvent("drain", { retry_ms: 100 })),
  bye: () => isIgnored(anEvent("bye", { reason: "shutdown" })),
  reset() {
    const before = opened().coverage;
    const { coverage } = having(anEvent("reset", { reason: "replay_limit" }));
    expect(coverage.rooms["room-1"]).toBeGreaterThan(before.rooms["room-1"] ?? 0);
    expect(coverage.lobby).toBeGreaterThan(before.lobby);
    expect(coverage.directs).toBeGreaterThan(before.directs);
  },
};

function isIgnored(event: ServerEvent): void {
  const state = opened();
  expect(apply(state, event)).toBe(state);
}

describe("apply", () => {
  test.each(Object.keys(EVENT_KINDS) as EventKind[])("%s", (kind) => CHECKS[kind]());

  test("a response may arrive before the events around it: messages are ordered by seq", () => {
    const state = having(anEvent("message.posted", aMessage(5)), anEvent("message.posted", aMessage(4)));
    expect(shown(state).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  });

  test("reloading the newest page drops stale messages and keeps those that arrived meanwhile", () => {
    const live = apply(opened(), anEvent("message.posted", aMessage(6)));
    const page = { messages: [aMessage(4), aMessage(5)], head_seq: 5 };
    expect(shown(withNewestMessages(live, "room-1", page)).map(({ seq }) => seq)).toEqual([4, 5, 6]);
  });

  test("private data of one viewer is removed for the next", () => {
    const state = having(anEvent("direct.posted", aDirect(7)));
    expect(withViewer(state, { ...ZOE, role: "user" }).conversations).toEqual({});
  });
});

test("an event of an unknown kind changes nothing", () => {
  const event = { kind: "message.reactions", id: "epoch.9", data: { id: "m" } } as unknown as ServerEvent;
  const state = opened();
  expect(apply(state, event)).toBe(state);
});

describe("while the stream is held back", () => {
  const polled = (state: ChatState, ...seqs: number[]) =>
    withPolledMessages(state, "room-1", {
      messages: seqs.map((seq) => aMessage(seq)),
      head_seq: seqs.at(-1) ?? 0,
    });
  const seqs = (state: ChatState) => shown(state).map(({ seq }) => seq);

  test("a page that continues the shown messages is joined to them, each message once", () => {
    expect(seqs(polled(opened(), 3, 4, 5))).toEqual([1, 2, 3, 4, 5]);
    expect(seqs(polled(opened(), 4, 5))).toEqual([1, 2, 3, 4, 5]);
  });

  test("a page after a gap replaces the shown messages, even if our own post is beyond the gap", () => {
    expect(seqs(polled(opened(), 5, 6))).toEqual([5, 6]);
    const posted = apply(opened(), anEvent("message.posted", aMessage(9)));
    expect(seqs(polled(posted, 7, 8, 9))).toEqual([7, 8, 9]);
    expect(seqs(polled(posted, 4, 5, 6, 7, 8, 9))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("edits and deletions in the page are applied", () => {
    const edited = aMessage(2, { body: "edited", edited_at: "2026-11-22T10:00:00Z" });
    const deleted = aMessage(3, { body: null as unknown as string, deleted_at: "2026-11-22T10:00:00Z" });
    const state = withPolledMessages(opened(), "room-1", { messages: [edited, deleted], head_seq: 3 });
    expect(bodies(state)).toEqual(["body 1", "edited", null]);
  });
});

describe("news of rooms in the list", () => {
  const lobby = (head_seq: number) => anEvent("lobby", { rooms: [{ id: "room-2", head_seq } as never] });

  test("a new message counts as unread once, and leaves the online count as it was", () => {
    const state = apply(apply(member(), lobby(11)), lobby(11));
    expect(unread(state)).toBe(6);
    expect(state.rooms?.["room-2"]?.online).toEqual({ users: 0, guests: 0 });
    expect(
      unread(apply(state, hello(["room-1"], { followed: [{ id: "room-2", head_seq: 12 }] } as never))),
    ).toBe(7);
  });

  test("own messages never count", () => {
    const post = (seq: number, author = ALI) =>
      anEvent("message.posted", aMessage(seq, { room_id: "room-2", author }));
    expect(unread(apply(member(), post(10)))).toBe(4);
    expect(unread(apply(member(), post(10, ZOE)))).toBe(5);
  });

  test("deleted messages do not count", () => {
    const post = anEvent("message.posted", aMessage(10, { room_id: "room-2", author: ZOE }));
    const deletion = anEvent("message.deleted", { id: "message-10", room_id: "room-2", seq: 10, pos: 900 });
    const state = apply(withOpenRoom(member(), "room-2"), post);
    expect(unread(state)).toBe(5);
    expect(unread(apply(apply(state, deletion), deletion))).toBe(4);
  });

  test("a mark that was moved here stays until the server has it", () => {
    const moved = withMark(member(), "room-2", 9);
    expect(unread(moved)).toBe(0);
    const stale = withMoreRooms(moved, { rooms: [member().rooms?.["room-2"] as never] }, 0);
    expect(unread(stale)).toBe(0);
    expect(unread(withMark(moved, "room-2", 6))).toBe(3);
  });
});

describe("a part of a room", () => {
  const page = (from: number, to: number, head_seq: number) => ({
    messages: Array.from({ length: to - from + 1 }, (_, at) => aMessage(from + at)),
    head_seq,
  });
  const extent = (state: ChatState) => [shown(state)[0]?.seq, shown(state).at(-1)?.seq];
  const middle = () => withMessagesAround(opened(), "room-1", page(100, 174, 500));

  test("is shown without what is written meanwhile, until its end is loaded", () => {
    let state = apply(middle(), anEvent("message.posted", aMessage(501)));
    expect([extent(state), state.logs["room-1"]?.to]).toEqual([[100, 174], 174]);
    expect(state.coverage).toEqual(middle().coverage);
    state = withNewerMessages(state, "room-1", page(175, 374, 500));
    expect(extent(state)).toEqual([100, 374]);
    state = withNewerMessages(state, "room-1", page(375, 500, 500));
    expect([extent(state), state.logs["room-1"]?.to]).toEqual([[100, 501], null]);
    expect(extent(apply(state, anEvent("message.posted", aMessage(502))))).toEqual([100, 502]);
  });

  test("does not end where the room has grown since the page was read", () => {
    let state = withMessagesAround(opened(), "room-1", page(400, 500, 500));
    expect(state.logs["room-1"]?.to).toBeNull();
    state = apply(middle(), anEvent("message.posted", aMessage(502)));
    expect(withMessagesAround(state, "room-1", page(426, 500, 500)).logs["room-1"]?.to).toBe(500);
  });

  test("edits and deletions before its page arrives are kept", () => {
    let state = apply(
      middle(),
      anEvent("message.edited", aMessage(200, { body: "newer", edited_at: "2026-11-22T12:00:00Z" })),
    );
    state = apply(
      state,
      anEvent("message.deleted", { id: "message-201", room_id: "room-1", seq: 201, pos: 900 }),
    );
    state = withNewerMessages(state, "room-1", page(175, 224, 500));
    expect(
      shown(state)
        .filter(({ seq }) => seq === 200 || seq === 201)
        .map(({ body }) => body),
    ).toEqual(["newer", null]);
  });

  test("news beyond it do not pile up", () => {
    let state = middle();
    for (let seq = 501; seq <= 1_500; seq++) state = apply(state, anEvent("message.posted", aMessage(seq)));
    expect(state.logs["room-1"]?.messages.length).toBeLessThanOrEqual(75 + 201);
  });

  test("keeps a limited number of messages, those near the reader", () => {
    const full = withMessagesAround(opened(), "room-1", page(1, 1_501, 1_501));
    const up = withoutFarMessages(full, "room-1", "newest");
    expect([extent(up), up.logs["room-1"]?.to]).toEqual([[1, 1_200], 1_200]);
    const down = withoutFarMessages(full, "room-1", "oldest");
    expect([extent(down), down.logs["room-1"]?.from, down.logs["room-1"]?.to]).toEqual([
      [302, 1_501],
      302,
      null,
    ]);
    const few = withMessagesAround(opened(), "room-1", page(1, 1_500, 1_500));
    expect(withoutFarMessages(few, "room-1", "oldest")).toBe(few);
  });
});

describe("the list of rooms by page", () => {
  const page = (...ids: string[]) => ids.map((id) => aRoom({ id, name: id }));
  const ids = (state: ChatState) => Object.keys(state.rooms ?? {}).sort();

  test("further pages are added, and a reload of the first one keeps them", () => {
    let state = withRooms(EMPTY_STATE, { rooms: page("a", "b"), next: "b" }, 0);
    state = withMoreRooms(state, { rooms: page("c"), next: null }, 0);
    expect([ids(state), state.roomsNext]).toEqual([["a", "b", "c"], null]);
    state = withRooms(state, { rooms: page("a"), next: "a" }, 0);
    expect(ids(state)).toEqual(["a", "b", "c"]);
  });

  test("after events were missed, only the first page and the open room stay", () => {
    let state = apply(withRooms(EMPTY_STATE, { rooms: page("a"), next: "a" }, 0), hello(["z"]));
    state = withMoreRooms(state, { rooms: page("c", "z"), next: null }, 0);
    expect(ids(withRooms(state, { rooms: page("a"), next: "a" }, 0))).toEqual(["a", "z"]);
  });

  test("a page requested before an event does not undo it", () => {
    const first = withRooms(EMPTY_STATE, { rooms: page("a", "b"), next: null }, 0);
    const renamed = apply(first, anEvent("room.renamed", aRoom({ id: "a", name: "renamed" })));
    const state = apply(renamed, anEvent("room.archived", aRoom({ id: "b", is_archived: true })));
    const late = withRooms(state, { rooms: page("a", "b"), next: null }, 0);
    expect([ids(late), late.rooms?.a?.name]).toEqual([["a"], "renamed"]);
  });

  test("a room loaded by its id joins the list; an archived one does not", () => {
    const state = withRooms(EMPTY_STATE, { rooms: page("a"), next: "a" }, 0);
    expect(ids(withRoom(state, aRoom({ id: "z" }), 0))).toEqual(["a", "z"]);
    const archived = withRoom(state, aRoom({ id: "z", is_archived: true }), 0);
    expect([ids(archived), Object.keys(archived.archived)]).toEqual([["a"], ["z"]]);
  });
});
