// Snapshot + events = fresh snapshot: following the stream gives the same state as reading everything again.

import { apply } from "../src/realtime/apply";
import { EVENT_KINDS, type EventKind } from "../src/realtime/events";
import {
  withConversations,
  withDirects,
  withNewestMessages,
  withOpenRoom,
  withRooms,
  withViewer,
} from "../src/realtime/snapshots";
import { type ChatState, EMPTY_STATE, shownMessages } from "../src/realtime/state";
import { type Account, Api, type Room } from "./api";
import { Listener } from "./listener";
import { expect, test } from "./person";
import { Server } from "./server";

/** `expiring` is sent at least a minute before the end, so a stream with this token lifetime gets it within seconds. */
const SHORT_TOKEN = { ACCESS_TOKEN_TTL_SECS: "64" };

test("snapshot plus events equals a fresh snapshot, for every kind of event", async () => {
  const server = await Server.start("replay", SHORT_TOKEN);
  const api = new Api(server.url);
  const admin = await api.admin();
  const reader = await api.account();
  const [room, other] = [await api.room(), await api.room()];
  await api.post(reader, room, "before everything");

  let state = await snapshot(api, reader, room, admin);
  const { cursor } = await api.send("GET", `/messages?room_id=${room.id}`);
  const query = new URLSearchParams({
    room: room.id,
    access_token: reader.token,
    cursor,
    replay_limit: "1000",
  });
  const stream = await Listener.open(`${server.url}/sse?${query}`);
  const compared = new Set<EventKind>();
  let applied = 0;

  /** Performs an action, follows the stream to its event, and compares with a fresh snapshot. */
  const follows = async (kind: EventKind, act: () => Promise<unknown>) => {
    const from = stream.events.length;
    await act();
    await stream.hears((event) => event.kind === kind, from);
    for (; applied < stream.events.length; applied++) {
      const event = stream.events[applied];
      if (event) state = apply(state, event);
    }
    expect(shownOf(state), `after ${kind}`).toEqual(shownOf(await snapshot(api, reader, room, admin)));
    compared.add(kind);
  };

  const message = await api.post(reader, room, "a message");
  await stream.hears((event) => event.kind === "message.posted");
  await follows("message.posted", () => api.post(admin, room, "a\r\nb\u2028c 👩‍👩‍👧‍👦"));
  await follows("message.edited", () =>
    api.send("PATCH", `/messages/${message.id}`, { body: "edited" }, reader),
  );
  const reaction = `/messages/${message.id}/reactions/👍`;
  await follows("message.reactions", () => api.send("PUT", reaction, undefined, reader));
  const pin = `/messages/${message.id}/pin`;
  await follows("message.pinned", () => api.send("PUT", pin, undefined, admin));
  await follows("message.unpinned", () => api.send("DELETE", pin, undefined, admin));
  await follows("message.deleted", () => api.send("DELETE", `/messages/${message.id}`, undefined, admin));
  const direct = { recipient_id: reader.id, body: "for you alone" };
  await follows("direct.posted", () => api.send("POST", "/direct-messages", direct, admin));
  await follows("room.created", () => api.room());
  await follows("room.renamed", () =>
    api.send("PATCH", `/rooms/${other.id}`, { name: `${other.name} anew` }, admin),
  );
  await follows("room.archived", () => api.send("POST", `/rooms/${other.id}/archive`, undefined, admin));
  await follows("room.restored", () => api.send("POST", `/rooms/${other.id}/restore`, undefined, admin));
  const days = { days: 30 };
  await follows("room.retention_set", () => api.send("PUT", `/rooms/${room.id}/retention`, days, admin));
  const topic = { topic: "Help and news" };
  await follows("room.topic_set", () => api.send("PUT", `/rooms/${room.id}/topic`, topic, admin));
  await follows("room.landing_set", () => api.send("PUT", `/rooms/${room.id}/landing`, undefined, admin));
  const indexable = { indexable: false };
  await follows("room.indexable_set", () => api.send("PUT", `/rooms/${room.id}/indexable`, indexable, admin));
  const mark = { seq: message.seq };
  await follows("room.read", () => api.send("PUT", `/rooms/${room.id}/read`, mark, reader));
  const mention = { room_id: room.id, body: "look", mentions: [reader.id] };
  await follows("inbox.added", () => api.send("POST", "/messages", mention, admin));
  const leaver = await api.account();
  await follows("message.posted", () => api.post(leaver, room, "soon gone"));
  // Two events: first the user is renamed, then their messages are deleted.
  await follows("message.deleted", () => api.send("DELETE", `/users/${leaver.id}`, undefined, admin));
  const mute = { seconds: 600, reason: "a test" };
  await follows("user.changed", () => api.send("POST", `/users/${reader.id}/mute`, mute, admin));

  // Events about the connection or presence, and heartbeats, change nothing in the compared state.
  const guest = await Listener.open(`${server.url}/sse?room=${room.id}`);
  await stream.hears(({ kind, data }) => kind === "presence" && (data as { guests: number }).guests === 1);
  await api.send("PUT", `/rooms/${room.id}/typing`, undefined, admin);
  await stream.hears(({ kind }) => kind === "typing");
  const elsewhere = await Listener.open(`${server.url}/sse?room=${other.id}`);
  for (const kind of ["lobby", "heartbeat", "expiring"] as const) {
    await stream.hears((event) => event.kind === kind);
    await follows("message.posted", () => api.post(admin, room, `after ${kind}`));
  }
  const foreign = await Listener.open(`${server.url}/sse?room=${room.id}&cursor=0123456789ab.1`);
  await foreign.hears(({ kind }) => kind === "reset");
  const leaving = stream.hears(({ kind }) => kind === "drain");
  const parting = stream.hears(({ kind }) => kind === "bye");
  await server.stop();
  await Promise.all([leaving, parting]);

  const heard = new Set([...stream.events, ...foreign.events].map(({ kind }) => kind));
  // A room is trimmed once its messages are a day old: see `apply.test.ts`.
  const expected = Object.keys(EVENT_KINDS).filter((kind) => kind !== "room.trimmed");
  expect([...heard].sort()).toEqual(expected.sort());
  expect(compared.size).toBe(18);
  for (const listener of [stream, guest, elsewhere, foreign]) listener.close();
});

/** Reads everything that the reader can access. */
async function snapshot(api: Api, reader: Account, room: Room, admin: Account): Promise<ChatState> {
  const get = (path: string) => api.send("GET", path, undefined, reader);
  let state = withOpenRoom(withViewer(EMPTY_STATE, await get("/users/me")), room.id);
  state = withRooms(state, await get("/rooms"), 0);
  state = withNewestMessages(state, room.id, await get(`/messages?room_id=${room.id}&limit=200`));
  state = withConversations(state, (await get("/direct-messages/conversations")).conversations);
  const { messages } = await get(`/direct-messages?with=${admin.id}`);
  const author = { id: admin.id, username: admin.username };
  return messages.length === 0
    ? state
    : withDirects(state, author, { messages, isComplete: true, isOlder: false });
}

/** The part of the state that screens show, except online counts, which vary, and marks, which screens do not show. */
function shownOf({ viewer, rooms, logs, conversations }: ChatState) {
  const { muted_until, mute_reason, role } = viewer ?? {};
  const bare = Object.values(rooms ?? {}).map(({ online, ...room }) => ({ ...room, membership: undefined }));
  return {
    viewer: { muted_until: muted_until ?? null, mute_reason: mute_reason ?? null, role },
    rooms: bare.sort((a, b) => a.id.localeCompare(b.id)),
    messages: Object.values(logs).map(shownMessages),
    directs: Object.values(conversations).map(({ messages }) => messages),
  };
}
