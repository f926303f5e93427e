import { expect, test } from "vitest";
import { messagePath, roomIdOf, seqOf } from "./room-address";

const ID = "01a22c31-5a2e-7180-a6a7-a7e991b4f7fd";

test("a room's address is its id, with any slug before it", () => {
  expect(roomIdOf(ID)).toBe(ID);
  expect(roomIdOf(`general-${ID}`)).toBe(ID);
  expect(roomIdOf(`a-room-of-2026-${ID.toUpperCase()}`)).toBe(ID);
  expect(roomIdOf("general")).toBe("general");
});

test("a message's address ends with its seq", () => {
  expect(messagePath({ id: ID, slug: "general" }, 7)).toBe(`/r/general-${ID}/7`);
  expect(messagePath({ id: ID, slug: "" }, 7)).toBe(`/r/${ID}/7`);
  expect(["7", "0", "-1", "1e3", "x", undefined].map(seqOf)).toEqual([7, null, null, null, null, null]);
});
