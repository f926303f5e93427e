import { expect, test } from "vitest";
import { neighbour, nextUnread, type Place } from "./places";

const aPlace = (name: string, unread = 0): Place => ({
  path: `/r/${name}`,
  kind: "room",
  name,
  unread,
  visited: null,
});
const PLACES = [aPlace("a"), aPlace("b", 2), aPlace("c"), aPlace("d", 1)];

test.each([
  ["/r/b", 1, "c"],
  ["/r/b", -1, "a"],
  ["/r/d", 1, "a"],
  ["/r/a", -1, "d"],
  ["/settings", 1, "a"],
  ["/settings", -1, "d"],
] as const)("from %s a step of %i leads to %s", (path, step, name) => {
  expect(neighbour(PLACES, path, step)?.name).toBe(name);
});

test.each([
  ["/r/a", 1, "b"],
  ["/r/b", 1, "d"],
  ["/r/d", 1, "b"],
  ["/r/c", -1, "b"],
  ["/r/b", -1, "d"],
  ["/settings", 1, "b"],
  ["/settings", -1, "d"],
] as const)("from %s the next unread place at a step of %i is %s", (path, step, name) => {
  expect(nextUnread(PLACES, path, step)?.name).toBe(name);
});

test("without rooms or unread messages there is nowhere to go", () => {
  expect(neighbour([], "/r/a", 1)).toBeUndefined();
  expect(nextUnread([aPlace("a", 3), aPlace("b")], "/r/a", 1)).toBeUndefined();
});
