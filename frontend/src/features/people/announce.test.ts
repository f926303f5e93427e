import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { connectClient } from "../../api/client";
import { chat } from "../../realtime/store";
import { server, usesServer } from "../../testing/server";
import { aRoom } from "../../testing/wire";
import { session } from "../session/session";
import { ANNOUNCE_EVERY_MS, noteTyping } from "./announce";

usesServer();

let requests: string[] = [];

beforeEach(() => {
  requests = [];
  connectClient(session);
  server.use(
    http.put("*/rooms/:id/typing", ({ params }) => {
      requests.push(String(params.id));
      return new HttpResponse(null, { status: 204 });
    }),
  );
});

const inRooms = (...rooms: [string, number, number][]) =>
  chat.update((state) => ({
    ...state,
    rooms: Object.fromEntries(
      rooms.map(([id, users, guests]) => [id, aRoom({ id, online: { users, guests } })]),
    ),
  }));

test("typing is announced once in a while, and not where nobody would be told", async () => {
  const now = vi.spyOn(Date, "now");
  inRooms(["room-1", 2, 0], ["alone", 1, 0], ["crowd", 30, 21], ["full", 30, 20]);
  for (const room of ["room-1", "room-1", "alone", "crowd", "full", "unknown"]) noteTyping(room);
  await vi.waitFor(() => expect(requests.toSorted()).toEqual(["full", "room-1"]));
  now.mockReturnValue(Date.now() + ANNOUNCE_EVERY_MS);
  noteTyping("room-1");
  await vi.waitFor(() => expect(requests).toHaveLength(3));
  now.mockRestore();
});
