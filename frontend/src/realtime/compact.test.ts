import { expect, test } from "vitest";
import { fromCompact, roomTags } from "./compact";
import examples from "./compact-examples.json";

const ROOM = "0193798b-8f7e-7cc1-9d6f-4f2f3c9f1a10";
const LIKE_IT = "01936f00-1c2d-7b3a-8e4f-4f2f3c9f1a10";
const OTHER = "01936f00-1c2d-7b3a-8e4f-0a1b2c3d4e5f";

test("the server's examples are decoded to the messages of the JSON form", () => {
  expect(examples.length).toBeGreaterThan(50);
  for (const { pos, form, message } of examples) {
    const rooms = roomTags([OTHER, message.room_id]);
    expect(rooms && fromCompact(form, pos, rooms)).toEqual(message);
  }
});

test("rooms that a short form cannot distinguish are recognised", () => {
  expect(roomTags([ROOM, OTHER, ROOM])?.size).toBe(2);
  expect(roomTags([])?.size).toBe(0);
  expect(roomTags([ROOM, LIKE_IT])).toBeNull();
  expect(roomTags(["general"])).toBeNull();
});

test("anything else is not a message", () => {
  const rooms = roomTags([ROOM]) ?? new Map();
  for (const form of [null, 7, {}, [], ["x"], ["x y", 1, 2, "body"], [7, 1, 2, "body"]])
    expect(fromCompact(form, 1, rooms)).toBeNull();
});
