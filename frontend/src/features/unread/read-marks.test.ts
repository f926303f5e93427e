import { expect, test } from "vitest";
import { markRead, readMarks, setMarks } from "./read-marks";

const KEY = "gapless.read.ali";

test("marks only move forward", () => {
  markRead("ali", { "room:1": 5 });
  markRead("ali", { "room:1": 3, "room:2": 1 });
  expect(readMarks("ali")).toEqual({ "room:1": 5, "room:2": 1 });
});

test("a window that has not seen a mark cannot undo it", () => {
  markRead("ali", { "room:1": 9 });
  const newValue = JSON.stringify({ "room:1": 4, "room:3": 7 });
  localStorage.setItem(KEY, newValue);
  window.dispatchEvent(new StorageEvent("storage", { key: KEY, newValue }));
  expect(readMarks("ali")).toMatchObject({ "room:1": 9, "room:3": 7 });
});

test("a mark that another window moved back stays there", () => {
  markRead("ali", { "room:1": 9 });
  const newValue = JSON.stringify({ "room:1": 4, "back:room:1": 1 });
  localStorage.setItem(KEY, newValue);
  window.dispatchEvent(new StorageEvent("storage", { key: KEY, newValue }));
  expect(readMarks("ali")).toMatchObject({ "room:1": 4 });
  setMarks("ali", { "room:1": 2 });
  expect(readMarks("ali")).toMatchObject({ "room:1": 2, "back:room:1": 2 });
});
