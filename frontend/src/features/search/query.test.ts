import { expect, test } from "vitest";
import { askable, everywhere, isTooShort, roomIn, suggestionsFor } from "./query";

const KNOWN = {
  rooms: [
    { name: "General", slug: "general" },
    { name: "Coffee corner", slug: "coffee-corner" },
    { name: "🎉", slug: "" },
  ],
  people: ["ali", "alina", "zoe"],
  recent: ["deploy from:zoe"],
  now: new Date("2026-11-29T12:00:00Z"),
};
const labels = (text: string) => suggestionsFor(text, KNOWN).map(({ label }) => label);

test.each([
  ["", null],
  ["   ", null],
  ["from:", null],
  ["deploy in:", "deploy"],
  ["deploy -from:", "deploy"],
  [" deploy from:ali ", "deploy from:ali"],
  ["in:general deploy", "in:general deploy"],
])("of %j, %j is sent", (text, sent) => expect(askable(text)).toBe(sent));

test("an empty search offers recent ones and all filters", () => {
  expect(labels("")).toEqual(["deploy from:zoe", "from:", "in:", "has:", "before:", "after:"]);
});

test.each([
  ["from:", ["from:ali", "from:alina", "from:zoe"]],
  ["from:@AL", ["from:ali", "from:alina"]],
  ["from:ali", []],
  ["deploy -from:z", ["-from:zoe"]],
  ["in:co", ["in:coffee-corner"]],
  ["in:", ["in:general", "in:coffee-corner", 'in:"🎉"']],
  ["in:general", []],
  ["in:general ", ["from:", "in:", "has:", "before:", "after:"]],
  ["in:general deploy", []],
  ["has:", ["has:link", "has:code"]],
  ["before:2026-11", ["before:2026-11-29", "before:2026-11-28", "before:2026-11-22"]],
  ["deploy", []],
])("after %j comes %j", (text, expected) => expect(labels(text)).toEqual(expected));

test("a suggestion completes what is typed", () => {
  expect(suggestionsFor("deploy -from:z", KNOWN)[0]?.text).toBe("deploy -from:zoe ");
});

test.each([
  ["in:general deploy", "general", "deploy"],
  ['deploy in:"Coffee corner"', "Coffee corner", "deploy"],
  ["deploy", null, "deploy"],
])("%j is limited to %j; everywhere it is %j", (text, room, all) => {
  expect(roomIn(text)).toBe(room);
  expect(everywhere(text)).toBe(all);
});

test.each([
  ["a", true],
  ["ж", true],
  ["ab", false],
  ["猫", false],
  ["7", false],
  ["a b", false],
])("%j is too short: %j", (text, expected) => expect(isTooShort(text)).toBe(expected));
