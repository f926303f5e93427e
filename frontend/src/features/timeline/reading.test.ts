import { expect, test } from "vitest";
import { readTo } from "./reading";

const orders = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
const views = (...pairs: [number, number][]) => pairs.map(([top, bottom]) => ({ top, bottom }));
const still = (top: number, bottom: number) => views([top, bottom], [top, bottom], [top, bottom]);

test("what stays on the screen is read", () => {
  expect(readTo({ views: still(41, 60), orders: orders(1, 100), mark: 50, hasOlder: false })).toBe(60);
  expect(readTo({ views: still(41, 60), orders: orders(1, 100), mark: 60, hasOlder: false })).toBeNull();
});

test("only what was there all the time counts", () => {
  const moving = views([41, 60], [45, 64], [49, 68]);
  expect(readTo({ views: moving, orders: orders(1, 100), mark: 50, hasOlder: false })).toBe(60);
  const fast = views([1, 20], [41, 60], [81, 100]);
  expect(readTo({ views: fast, orders: orders(1, 100), mark: 0, hasOlder: false })).toBeNull();
});

test("messages that were jumped over stay unread", () => {
  expect(readTo({ views: still(81, 100), orders: orders(1, 100), mark: 50, hasOlder: false })).toBeNull();
  // They are not even loaded.
  expect(readTo({ views: still(250, 299), orders: orders(250, 299), mark: 50, hasOlder: true })).toBeNull();
  expect(readTo({ views: still(51, 70), orders: orders(51, 100), mark: 50, hasOlder: true })).toBe(70);
});

test("without a mark, whatever is shown is read", () => {
  expect(readTo({ views: still(81, 100), orders: orders(51, 100), mark: null, hasOlder: true })).toBe(100);
});
