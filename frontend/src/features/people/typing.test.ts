import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ALI, aMessage, anEvent, ZOE } from "../../testing/wire";
import { LAPSE_MS, Typing, typingSentence } from "./typing";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const types = (user = ALI, room_id = "room-1") => anEvent("typing", { room_id, user });

test("somebody types until they stop for five seconds", () => {
  const typing = new Typing();
  const heard = vi.fn();
  typing.subscribe(heard);
  typing.hear(types());
  expect(typing.in("room-1")).toEqual([ALI]);
  expect(typing.in("room-2")).toEqual([]);
  vi.advanceTimersByTime(LAPSE_MS - 1);
  typing.hear(types());
  vi.advanceTimersByTime(LAPSE_MS - 1);
  expect(typing.in("room-1")).toEqual([ALI]);
  vi.advanceTimersByTime(1);
  expect(typing.in("room-1")).toEqual([]);
  expect(heard).toHaveBeenCalledTimes(2);
  expect(vi.getTimerCount()).toBe(0);
});

test("a message of the user ends it, and what was announced before it does not begin it again", () => {
  const typing = new Typing();
  typing.hear(types(ALI));
  typing.hear(types(ZOE));
  typing.hear(anEvent("message.posted", aMessage(1, { author: ALI })));
  typing.hear(types(ALI));
  expect(typing.in("room-1")).toEqual([ZOE]);
  vi.advanceTimersByTime(1_000);
  typing.hear(types(ALI));
  expect(typing.in("room-1")).toEqual([ZOE, ALI]);
  typing.hear(anEvent("user.erased", ZOE));
  expect(typing.in("room-1")).toEqual([ALI]);
});

test("the same list is returned until it changes", () => {
  const typing = new Typing();
  expect(typing.in("room-1")).toBe(typing.in("room-2"));
  typing.hear(types());
  const before = typing.in("room-1");
  typing.hear(types());
  expect(typing.in("room-1")).toBe(before);
});

test.each([
  [[], null],
  [["ali"], "ali is typing…"],
  [["ali", "zoe"], "ali and zoe are typing…"],
  [["ali", "zoe", "bo"], "Several people are typing…"],
])("of %j the line says %j", (names, sentence) => {
  expect(typingSentence(names.map((username) => ({ id: username, username })))).toBe(sentence);
});
