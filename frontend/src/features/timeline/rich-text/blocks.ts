// Markdown of whole lines: code, quotes, lists, tables and headings. Everything else is text, with its spaces and blank
// lines. In a chat a line break ends a quote or a list: the answer below a quote is not part of it.

import { type Inline, inlines } from "./inline";

export type Block =
  | { kind: "text"; content: TextPart[] }
  | { kind: "code"; language: string; text: string }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "list"; isOrdered: boolean; isLoose: boolean; items: Item[] };

export interface Item {
  /** As typed, such as `3.`: the number may have leading zeros. */
  marker: string;
  blocks: Block[];
}

/** Headings are bold lines that keep their marks: pasted comments of scripts look the same. */
export type TextPart = Inline | { kind: "heading"; marks: string; content: Inline[] };

/** A block of other than text, and the line after it. */
interface Found {
  block: Block;
  end: number;
}

/** Quotes and lists nested deeper than this are shown as typed. */
const DEEPEST = 6;

export const blocksOf = (body: string): Block[] => parse(body.split("\n"), 0);

function parse(lines: readonly string[], depth: number): Block[] {
  const blocks: Block[] = [];
  let text: string[] = [];
  const endText = (isLast: boolean) => {
    // The space around other blocks stands for one blank line.
    if (blocks.length > 0 && text[0]?.trim() === "") text.shift();
    if (!isLast && text.at(-1)?.trim() === "") text.pop();
    if (text.length > 0) blocks.push({ kind: "text", content: textOf(text) });
    text = [];
  };
  for (let at = 0; at < lines.length; ) {
    const found =
      fenceAt(lines, at) ?? tableAt(lines, at) ?? (depth < DEEPEST ? nestedAt(lines, at, depth) : null);
    if (found) {
      endText(false);
      blocks.push(found.block);
      at = found.end;
    } else text.push(lines[at++] ?? "");
  }
  endText(true);
  return blocks;
}

const nestedAt = (lines: readonly string[], at: number, depth: number) =>
  quoteAt(lines, at, depth) ?? listAt(lines, at, depth);

const HEADING = /^( {0,3}#{1,6} +)(\S.*)$/;

function textOf(lines: readonly string[]): TextPart[] {
  const parts: TextPart[] = [];
  let run = "";
  for (const [at, line] of lines.entries()) {
    const [, marks, title] = HEADING.exec(line) ?? [];
    // Browsers do not show the line break at the end of an element, so a blank line there needs another.
    const lineBreak = at < lines.length - 1 || line === "" ? "\n" : "";
    if (marks === undefined || title === undefined) run += line + lineBreak;
    else {
      parts.push(...inlines(run), { kind: "heading", marks, content: inlines(title) });
      run = lineBreak;
    }
  }
  return [...parts, ...inlines(run)];
}

const FENCE = /^( {0,3})(`{3,}|~{3,})([^`~]*)$/;

/** Code between fences. A fence may also close at the end of the last line of code, or not at all. */
function fenceAt(lines: readonly string[], at: number): Found | null {
  const [, indent = "", fence, language = ""] = FENCE.exec(lines[at] ?? "") ?? [];
  if (!fence) return null;
  const rest = lines.slice(at + 1);
  const isClosing = (line: string) => {
    const closing = /^ {0,3}(`{3,}|~{3,})\s*$/.exec(line)?.[1];
    return closing !== undefined && closing.length >= fence.length && closing[0] === fence[0];
  };
  let end = rest.findIndex(isClosing);
  let code = rest.slice(0, end === -1 ? rest.length : end);
  if (end === -1) {
    end = rest.findIndex((line) => line.trimEnd().endsWith(fence));
    if (end >= 0) code = [...rest.slice(0, end), (rest[end] ?? "").trimEnd().slice(0, -fence.length)];
  }
  const text = code.map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line)).join("\n");
  if (text.trim() === "") return null;
  return {
    block: { kind: "code", language: language.trim(), text },
    end: end === -1 ? lines.length : at + 1 + end + 1,
  };
}

const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

/** A table is shown as typed, in the font of code, so that its columns line up. */
function tableAt(lines: readonly string[], at: number): Found | null {
  const isRow = (line: string | undefined) => line?.includes("|") === true;
  const rule = lines[at + 1];
  if (!isRow(lines[at]) || !isRow(rule) || !TABLE_RULE.test(rule ?? "")) return null;
  let end = at + 2;
  while (isRow(lines[end])) end++;
  return { block: { kind: "code", language: "", text: lines.slice(at, end).join("\n") }, end };
}

/** Needs a space, so that `>:(` and `>>> code` stay as typed. */
const QUOTE = /^ {0,3}>(?: (.*)|)$/;

function quoteAt(lines: readonly string[], at: number, depth: number): Found | null {
  if (!QUOTE.exec(lines[at] ?? "")?.[1]?.trim()) return null;
  let end = at;
  const quoted: string[] = [];
  for (let match = QUOTE.exec(lines[end] ?? ""); match; match = QUOTE.exec(lines[++end] ?? "")) {
    quoted.push(match[1] ?? "");
  }
  return { block: { kind: "quote", blocks: parse(quoted, depth + 1) }, end };
}

/** A list item's first line. The text must not begin with another marker: `* * * * *` is a schedule, or a line. */
const ITEM = /^( *)([-*]|\d{1,9}[.)]) +(?![-*] )(\S.*)$/;

interface Marker {
  indent: number;
  marker: string;
  text: string;
}

function markerOf(line: string | undefined): Marker | null {
  const [, indent, marker, text] = ITEM.exec(spaced(line ?? "")) ?? [];
  return marker && text ? { indent: indent?.length ?? 0, marker, text } : null;
}

/** A list has at least two lines; one alone, such as `- 5`, is shown as typed. */
function listAt(lines: readonly string[], start: number, depth: number): Found | null {
  const first = markerOf(lines[start]);
  if (!first) return null;
  const kind = kindOf(first);
  const items: Item[] = [];
  let [end, isLoose, hasChildren] = [start, false, depth > 0];
  for (let at = start; ; ) {
    const item = markerOf(lines[at]);
    if (!item || kindOf(item) !== kind || Math.abs(item.indent - first.indent) > 1) break;
    isLoose ||= at > end;
    const content = [item.text];
    end = at + 1;
    for (let next = end; next < lines.length; next++) {
      const line = spaced(lines[next] ?? "");
      if (line.trim() === "") continue;
      const indent = indentOf(line);
      if (indent < item.indent + 2) break;
      content.push(
        ...lines.slice(end, next),
        line.slice(Math.min(indent, item.indent + item.marker.length + 1)),
      );
      hasChildren ||= markerOf(line) !== null;
      end = next + 1;
    }
    items.push({ marker: item.marker, blocks: parse(content, depth + 1) });
    at = end;
    while (at < lines.length && lines[at]?.trim() === "") at++;
  }
  if (items.length < 2 && !hasChildren) return null;
  return { block: { kind: "list", isOrdered: kind !== "-" && kind !== "*", isLoose, items }, end };
}

const kindOf = ({ marker }: Marker) => marker.at(-1);

const indentOf = (line: string) => line.length - line.trimStart().length;

/** Indents a line with spaces instead of tabs. */
const spaced = (line: string) => line.replace(/^[ \t]+/, (indent) => indent.replaceAll("\t", "    "));
