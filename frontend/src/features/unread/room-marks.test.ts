import { HttpResponse, http } from "msw";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connectClient } from "../../api/client";
import { withMoreRooms, withRooms, withViewer } from "../../realtime/snapshots";
import { chat } from "../../realtime/store";
import { server, usesServer } from "../../testing/server";
import { ALI, aRoom } from "../../testing/wire";
import { session } from "../session/session";
import { markRead, readMarks } from "./read-marks";
import { markRoomRead, readUpTo, setRoomMark, takeOverMarks, unreadOf } from "./room-marks";

usesServer();

let sent: unknown[];
let answers: (() => Response)[];

beforeEach(() => {
  [sent, answers] = [[], []];
  connectClient(session);
  server.use(
    http.put("*/rooms/:id/read", async ({ request, params }) => {
      sent.push({ room: params.id, ...((await request.json()) as object) });
      return answers.shift()?.() ?? new HttpResponse(null, { status: 204 });
    }),
  );
});

afterEach(() => vi.useRealTimers());

/** A room with ten messages, of which four are read. */
function opens(id: string, isMember = true) {
  const membership = { read_seq: 4, unread: 6, mentions: 0, level: "mentions" as const };
  const room = { ...aRoom({ id, head_seq: 10 }), membership: isMember ? membership : null };
  chat.update((state) =>
    withRooms(withViewer(state, { ...ALI, role: "user" }), { rooms: [room] }, state.roomsVersion),
  );
  return () => chat.state.rooms?.[id] ?? room;
}

/** A further room, like the one above. */
function opensToo(id: string) {
  const membership = { read_seq: 4, unread: 6, mentions: 0, level: "mentions" as const };
  const room = { ...aRoom({ id, head_seq: 10 }), membership };
  chat.update((state) => withMoreRooms(state, { rooms: [room] }, state.roomsVersion));
}

test("reading moves the mark at once, and tells the server at most once a second", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  const room = opens("often");
  for (const seq of [5, 6, 7]) markRoomRead("often", seq);
  expect(room().membership?.read_seq).toBe(7);
  await vi.waitFor(() => expect(sent).toEqual([{ room: "often", seq: 7 }]));
  for (const seq of [8, 9, 10]) markRoomRead("often", seq);
  expect(unreadOf(room(), {})).toBe(0);
  await vi.waitFor(() =>
    expect(sent).toEqual([
      { room: "often", seq: 7 },
      { room: "often", seq: 10 },
    ]),
  );
  markRoomRead("often", 3);
  expect(room().membership?.read_seq).toBe(10);
});

test("a message marked as unread moves the mark back, and stays so", async () => {
  const room = opens("back");
  markRoomRead("back", 10);
  setRoomMark("back", 2);
  expect([readUpTo(room(), ALI.id), unreadOf(room(), {})]).toEqual([2, 8]);
  await vi.waitFor(() => expect(sent.at(-1)).toEqual({ room: "back", seq: 2, force: true }));
});

test("what was read is sent when the page is hidden, and again if the server was busy", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  opens("hidden");
  markRoomRead("hidden", 5);
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  answers.push(() => new HttpResponse(null, { status: 503 }));
  markRoomRead("hidden", 6);
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.waitFor(() => expect(sent).toHaveLength(2));
  await vi.advanceTimersByTimeAsync(6_000);
  await vi.waitFor(() => expect(sent).toHaveLength(3));
  expect(sent.at(-1)).toEqual({ room: "hidden", seq: 6 });
});

test("without marks on the server, they are kept in this browser and move back as well", () => {
  const room = opens("local", false);
  expect([readUpTo(room(), ALI.id), unreadOf(room(), readMarks(ALI.id))]).toEqual([null, 0]);
  markRoomRead("local", 10);
  setRoomMark("local", 7);
  expect([readUpTo(room(), ALI.id), unreadOf(room(), readMarks(ALI.id))]).toEqual([7, 3]);
  expect(sent).toEqual([]);
});

test("a mark is never after the newest message", () => {
  const room = opens("restored", false);
  markRoomRead("restored", 99);
  expect(readUpTo(room(), ALI.id)).toBe(10);
});

test("somebody who signs up keeps what they had not read as a guest", async () => {
  localStorage.setItem("gapless.newcomer", ALI.id);
  markRead(undefined, { "room:behind": 2, "room:read": 4, "room:beyond": 99 });
  const room = opens("behind");
  const behind = room();
  expect(unreadOf({ ...room(), membership: null }, readMarks(ALI.id))).toBe(8);
  for (const id of ["read", "beyond", "never seen"]) opensToo(id);
  takeOverMarks();
  expect([readUpTo(room(), ALI.id), unreadOf(room(), {})]).toEqual([2, 8]);
  await vi.waitFor(() => expect(sent).toEqual([{ room: "behind", seq: 2, force: true }]));
  expect(chat.state.rooms?.read?.membership?.read_seq).toBe(4);
  // A list that was read before the server knew the mark.
  chat.update((state) => withRooms(state, { rooms: [behind] }, state.roomsVersion));
  expect(readUpTo(room(), ALI.id)).toBe(4);
  takeOverMarks();
  expect(readUpTo(room(), ALI.id)).toBe(2);
  markRoomRead("behind", 3);
  takeOverMarks();
  expect(readUpTo(room(), ALI.id)).toBe(3);
  // Once the stream covers the list, the server keeps the marks.
  chat.update((state) => ({ ...state, coverage: { ...state.coverage, lobby: 1 } }));
  takeOverMarks();
  chat.update((state) => withRooms(state, { rooms: [behind] }, state.roomsVersion));
  takeOverMarks();
  expect(readUpTo(room(), ALI.id)).toBe(4);
});

test("an account that signed up elsewhere takes nothing over", () => {
  localStorage.setItem("gapless.newcomer", "somebody else");
  markRead(undefined, { "room:mine": 2 });
  const room = opens("mine");
  takeOverMarks();
  expect([readUpTo(room(), ALI.id), readMarks(ALI.id)["room:mine"]]).toEqual([4, undefined]);
});
