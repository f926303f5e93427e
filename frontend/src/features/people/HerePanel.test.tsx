import { expect, test } from "vitest";
import { restSentence } from "./HerePanel";

test.each([
  [0, 0, false, null],
  [0, 0, true, "Nobody is here right now."],
  [0, 1, false, "+ 1 guest"],
  [0, 12, true, "12 guests"],
  [1, 0, false, "+ 1 more person"],
  [30, 12, false, "+ 30 more people and 12 guests"],
])("besides those listed: %i people and %i guests (%j): %j", (people, guests, isEmpty, sentence) => {
  expect(restSentence(people, guests, isEmpty)).toBe(sentence);
});
