import { expect, test } from "vitest";
import { dayName } from "../../ui/dates";
import { timelineRows } from "./rows";

const at = (key: string, writtenAt: string, authorId = "ali") => ({ key, authorId, writtenAt });
const outline = (rows: ReturnType<typeof timelineRows>) =>
  rows.map((row) => (row.kind === "message" ? `${row.key}${row.isFirstOfRun ? " first" : ""}` : row.kind));

test("messages of one author within five minutes form a run", () => {
  const rows = timelineRows([
    at("a", "2026-11-22T09:00:00"),
    at("b", "2026-11-22T09:04:59"),
    at("c", "2026-11-22T09:10:00"),
    at("d", "2026-11-22T09:10:01", "zoe"),
  ]);
  expect(outline(rows)).toEqual(["day", "a first", "b", "c first", "d first"]);
});

test("a day starts at the reader's midnight and starts a run", () => {
  const rows = timelineRows([at("a", "2026-11-21T23:59:30"), at("b", "2026-11-22T00:00:30")]);
  expect(outline(rows)).toEqual(["day", "a first", "day", "b first"]);
});

test("the line above new messages appears once and starts a run", () => {
  const rows = timelineRows(
    ["a", "b", "c"].map((key) => at(key, "2026-11-22T09:00:00")),
    ({ key }) => key !== "a",
  );
  expect(outline(rows)).toEqual(["day", "a first", "new", "b first", "c"]);
});

test("recent days are named", () => {
  const now = new Date("2026-11-22T12:00:00");
  expect(dayName(new Date("2026-11-22T00:00:00"), now)).toBe("Today");
  expect(dayName(new Date("2026-11-21T23:59:00"), now)).toBe("Yesterday");
  expect(dayName(new Date("2026-11-16T12:00:00"), now)).toMatch(/November/);
  expect(dayName(new Date("2025-11-16T12:00:00"), now)).toMatch(/2025/);
});
