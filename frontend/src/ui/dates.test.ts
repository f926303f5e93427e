import { expect, test } from "vitest";
import { clockTime, counted, englishOf, periodOf } from "./dates";

test.each([
  [["ar", "de"], "en-GB"],
  [["de", "en-US", "en"], "en-US"],
  [["en"], "en-GB"],
  [[], "en-GB"],
])("of the languages %j, times are written in %s", (languages, locale) => {
  expect(englishOf(languages)).toBe(locale);
});

test("the hour is written as people write it, in Latin digits", () => {
  const morning = new Date(2026, 10, 22, 9, 5).toISOString();
  expect(clockTime(morning)).toMatch(/^(0?9):05( AM)?$/i);
});

test("large numbers have separators, and one of a kind is singular", () => {
  expect(counted(10_200, "message")).toBe("10,200 messages");
  expect(counted(1, "person", "people")).toBe("1 person");
  expect(counted(0, "person", "people")).toBe("0 people");
});

test.each([
  [20_000, "1 minute"],
  [600_000, "10 minutes"],
  [3_600_000, "1 hour"],
  [86_400_000, "24 hours"],
  [604_800_000, "7 days"],
])("%i ms is %s", (ms, text) => {
  expect(periodOf(ms)).toBe(text);
});
