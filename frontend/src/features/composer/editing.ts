// Editing of Markdown in a text field: pure functions from the text and its selection to a change.

/** The text of a field, with its selection. */
export interface Selection {
  text: string;
  start: number;
  end: number;
}

/** Replaces the text between `from` and `to`; then the text between `start` and `end` of the result is selected. */
export interface Change {
  from: number;
  to: number;
  insert: string;
  start: number;
  end: number;
}

const MARKS: Record<string, string> = { b: "**", i: "*", e: "`" };

/** Returns the marks that Ctrl or Cmd with this key puts around the selection. */
export const marksOf = (key: string): string | undefined => MARKS[key.toLowerCase()];

/** Puts marks around the selection, without the spaces at its ends, or removes them. */
export function toggleMarks({ text, start, end }: Selection, marks: string): Change {
  const selected = text.slice(start, end);
  const from = start + (selected.length - selected.trimStart().length);
  const to = Math.max(from, start + selected.trimEnd().length);
  const inside = text.slice(from, to);
  const { length } = marks;
  if (isMarked(text.slice(0, from), text.slice(to), marks)) {
    const change = { from: from - length, to: to + length, insert: inside };
    return { ...change, start: from - length, end: to - length };
  }
  if (inside.length > 2 * length && isMarked(inside.slice(0, length), inside.slice(-length), marks)) {
    const bare = inside.slice(length, -length);
    return { from, to, insert: bare, start: from, end: from + bare.length };
  }
  return { from, to, insert: marks + inside + marks, start: from + length, end: to + length };
}

/** Returns whether the texts end and begin with exactly these marks: `**` is not `*`. */
function isMarked(before: string, after: string, marks: string): boolean {
  const mark = marks.charAt(0);
  const count = (text: string) => text.length - text.replace(new RegExp(`^[${mark}]+`), "").length;
  const backwards = [...before].reverse().join("");
  const [left, right] = [count(backwards), count(after)];
  // Three marks are both: bold and emphasised.
  const has = (marked: number) => marked === marks.length || (mark === "*" && marked === 3);
  return has(left) && has(right);
}

const ITEM = /^([ \t]*)([-*]|(\d{1,9})([.)]))( +)(.*)$/;

/** Returns the change that a line break in a list makes: it begins the next item, or ends the list at an empty one. */
export function continueList({ text, start, end }: Selection): Change | null {
  const from = text.lastIndexOf("\n", start - 1) + 1;
  const [, indent = "", marker = "", number, delimiter, space = " ", content = ""] =
    ITEM.exec(text.slice(from, start)) ?? [];
  if (marker === "" || isInCode(text.slice(0, from))) return null;
  const rest = text.slice(end).split("\n", 1)[0] ?? "";
  if (content.trim() === "" && rest.trim() === "") {
    return { from, to: end, insert: "", start: from, end: from };
  }
  const next = number === undefined ? marker : `${Number(number) + 1}${delimiter}`;
  const insert = `\n${indent}${next}${space}`;
  return { from: start, to: end, insert, start: start + insert.length, end: start + insert.length };
}

/** Returns whether a text ends between the fences of code. */
const isInCode = (text: string) => (text.match(/^ {0,3}```/gm)?.length ?? 0) % 2 === 1;

/** Returns the change that pasting an address over selected words makes: a link. */
export function pasteLink({ text, start, end }: Selection, pasted: string): Change | null {
  const selected = text.slice(start, end);
  const address = pasted.trim();
  if (selected.trim() === "" || /[\n[\]]/.test(selected) || isAddress(selected.trim())) return null;
  if (!isAddress(address) || isInCode(text.slice(0, start))) return null;
  const insert = `[${selected}](${address})`;
  return { from: start, to: end, insert, start: start + insert.length, end: start + insert.length };
}

const isAddress = (text: string) => /^https?:\/\/[^\s()<>]+$/i.test(text) && URL.canParse(text);

/** Returns the name of the command that a message begins with; a path such as `/usr/bin` is none. */
export const commandOf = (body: string): string | null => /^\/[a-z][\w-]*(?=\s|$)/i.exec(body)?.[0] ?? null;
