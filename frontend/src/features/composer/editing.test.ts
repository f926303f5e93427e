import { expect, test } from "vitest";
import {
  type Change,
  commandOf,
  continueList,
  marksOf,
  pasteLink,
  type Selection,
  toggleMarks,
} from "./editing";

/** Reads a text with `‹` and `›` around its selection, or `|` where nothing is selected. */
function selection(marked: string): Selection {
  const start = marked.search(/[‹|]/);
  const end = marked.includes("›") ? marked.indexOf("›") - 1 : start;
  return { text: marked.replace(/[‹›|]/g, ""), start, end };
}

function changed(marked: string, change: Change | null): string | null {
  if (!change) return null;
  const { text } = selection(marked);
  const result = text.slice(0, change.from) + change.insert + text.slice(change.to);
  if (change.start === change.end) return `${result.slice(0, change.start)}|${result.slice(change.end)}`;
  return `${result.slice(0, change.start)}‹${result.slice(change.start, change.end)}›${result.slice(change.end)}`;
}

test.each([
  ["a ‹word› b", "b", "a **‹word›** b"],
  ["a **‹word›** b", "b", "a ‹word› b"],
  ["a ‹**word**› b", "b", "a ‹word› b"],
  ["a **‹word›** b", "i", "a ***‹word›*** b"],
  ["a ***‹word›*** b", "b", "a *‹word›* b"],
  ["a *‹word›* b", "b", "a ***‹word›*** b"],
  ["a‹ word ›b", "i", "a *‹word›* b"],
  ["‹x›", "E", "`‹x›`"],
  ["a |", "b", "a **|**"],
  ["a **|**", "b", "a |"],
  ["a **‹word›** b", "k", null],
])("%s, Ctrl+%s: %s", (before, key, after) => {
  const marks = marksOf(key);
  expect(changed(before, marks === undefined ? null : toggleMarks(selection(before), marks))).toBe(after);
});

test.each([
  ["- one|", "- one\n- |"],
  ["text\n  * one|\nmore", "text\n  * one\n  * |\nmore"],
  ["9. nine|", "9. nine\n10. |"],
  ["1)  one|", "1)  one\n2)  |"],
  ["- one ‹and› two", "- one \n- | two"],
  ["- one\n- |", "- one\n|"],
  ["- |rest", "- \n- |rest"],
  ["|- one", null],
  ["plain|", null],
  ["-one|", null],
  ["```\n- one|", null],
  ["```\n```\n- one|", "```\n```\n- one\n- |"],
])("%j, line break: %j", (before, after) => {
  expect(changed(before, continueList(selection(before)))).toBe(after);
});

test.each([
  ["see ‹this page› now", "https://example.org/a", "see [this page](https://example.org/a)| now"],
  ["see ‹this page› now", " https://example.org/a\n", "see [this page](https://example.org/a)| now"],
  ["see | now", "https://example.org/a", null],
  ["‹https://example.org/b›", "https://example.org/a", null],
  ["‹two\nlines›", "https://example.org/a", null],
  ["‹word›", "javascript:alert(1)", null],
  ["‹word›", "https://example.org and more", null],
  ["```\n‹word›", "https://example.org", null],
])("%j, paste %j: %j", (before, pasted, after) => {
  expect(changed(before, pasteLink(selection(before), pasted))).toBe(after);
});

test("commands are words after a slash", () => {
  expect(["/help", "/me waves", "/Foo-bar\nx"].map(commandOf)).toEqual(["/help", "/me", "/Foo-bar"]);
  expect(["/usr/bin", "/", "//", "/ help", "/1", "a /help", "/etc."].map(commandOf)).toEqual(
    Array(7).fill(null),
  );
});
