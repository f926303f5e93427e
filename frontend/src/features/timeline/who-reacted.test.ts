import { expect, test } from "vitest";
import { namesSentence } from "./who-reacted";

const named = (...names: string[]) => names.map((username) => ({ id: username, username }));

test.each([
  [["ali"], 1, "ali"],
  [["ali", "mia"], 2, "ali and mia"],
  [["ali", "mia", "zoe"], 3, "ali, mia and zoe"],
  [["ali", "mia", "zoe", "bo"], 4, "ali, mia and 2 others"],
  [["ali", "mia"], 3, "ali, mia and 1 other"],
  [["ali", "me"], 60, "You, ali and 58 others"],
  [["me"], 1, "You"],
])("%j of %i", (names, count, sentence) => {
  expect(namesSentence({ users: named(...names), count }, "me")).toBe(sentence);
});
