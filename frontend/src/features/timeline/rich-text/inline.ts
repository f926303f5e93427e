// Markdown within lines: emphasis, code and links. Incomplete or ambiguous marks are text, exactly as typed. A backslash
// takes the meaning from the next mark and is shown too; HTML and entities mean nothing.

import { canClose, canOpen } from "./characters";
import { BARE_ADDRESS, EMAIL, hiddenDestination, hrefOf, targetAt, trimmedAddress } from "./links";

export type Inline = string | { kind: "code" | "mention"; text: string } | Nested;

type Nested = { content: Inline[]; depth: number } & (
  | { kind: "strong" | "em" | "del" }
  | { kind: "link"; href: string; isBare: boolean; hiddenDestination: string | null }
);

/** A possible beginning of emphasis or of a link. Its marks are text in the output until the end is found. */
interface Opener {
  at: number;
  mark: string;
  length: number;
}

/** Emphasis nested deeper than this is shown as typed. */
const DEEPEST = 6;

const TOKEN = new RegExp(
  [
    "(?<mention>@\\[user:[0-9a-f-]{36}\\])",
    "(?<escape>\\\\[\\\\`*_~[\\]])",
    "(?<code>`+)",
    "(?<emphasis>\\*+|_+|~+)",
    "(?<bracket>[[\\]])",
    "(?<blankLine>\\n[ \\t]*(?=\\n))",
    `(?<address>${BARE_ADDRESS})`,
    `(?<email>${EMAIL})`,
  ].join("|"),
  "gu",
);

export function inlines(text: string): Inline[] {
  return new InlineParser(text).parse();
}

class InlineParser {
  readonly #text: string;
  readonly #codeMarks: { length: number; index: number }[];
  #output: Inline[] = [];
  #openers: Opener[] = [];

  constructor(text: string) {
    this.#text = text;
    this.#codeMarks = [...text.matchAll(/`+/g)].map(({ 0: { length }, index }) => ({ length, index }));
  }

  parse(): Inline[] {
    const token = new RegExp(TOKEN);
    let at = 0;
    for (let match = token.exec(this.#text); match; match = token.exec(this.#text)) {
      this.#output.push(this.#text.slice(at, match.index));
      at = this.#read(match);
      token.lastIndex = at;
    }
    this.#output.push(this.#text.slice(at));
    return joined(this.#output);
  }

  /** Reads one token and returns the position after it. */
  #read({ 0: token, index, groups = {} }: RegExpExecArray): number {
    const end = index + token.length;
    if (groups.code) return this.#code(token, end);
    if (groups.mention) this.#output.push({ kind: "mention", text: token });
    else if (groups.emphasis) this.#emphasis(token, index);
    else if (groups.bracket) return this.#bracket(token, index);
    else if (groups.address) return this.#address(token, index);
    else if (groups.email) this.#output.push(linkTo(`mailto:${token}`, [token], true));
    else {
      this.#output.push(token);
      // Emphasis and links end at a blank line.
      if (groups.blankLine) this.#openers = [];
    }
    return end;
  }

  #code(marks: string, begin: number): number {
    const closing = this.#codeMarks.find(({ length, index }) => index >= begin && length === marks.length);
    if (!closing || this.#text.slice(begin, closing.index).trim() === "") {
      this.#output.push(marks);
      return begin;
    }
    // A space separates the marks from backticks in the code.
    const code = this.#text.slice(begin, closing.index).replace(/^ (?=`)|(?<=`) $/g, "");
    this.#output.push({ kind: "code", text: code });
    return closing.index + marks.length;
  }

  #address(token: string, begin: number): number {
    const address = trimmedAddress(token);
    const href = hrefOf(address);
    this.#output.push(href === null ? address || token : linkTo(href, [address], true));
    return begin + (address || token).length;
  }

  #bracket(bracket: string, begin: number): number {
    if (bracket === "]") return this.#closeLink(begin + 1);
    // An image is shown as typed.
    if (this.#text.charAt(begin - 1) !== "!") this.#open(bracket, 1);
    this.#output.push(bracket);
    return begin + 1;
  }

  #closeLink(end: number): number {
    const opener = this.#openers.findLast(({ mark }) => mark === "[");
    const target = opener && this.#text.charAt(end) === "(" ? targetAt(this.#text, end) : null;
    const href = target && hrefOf(target.address);
    if (!opener || !target || !href || !this.#hasContent(opener)) {
      this.#openers = this.#openers.filter((other) => other !== opener);
      this.#output.push("]");
      return end;
    }
    const content = this.#take(opener);
    this.#output[opener.at] = linkTo(href, content.flatMap(withoutLinks), false);
    // Links do not nest.
    this.#openers = this.#openers.filter(({ mark }) => mark !== "[");
    return target.end;
  }

  #emphasis(marks: string, begin: number): void {
    const mark = marks.charAt(0);
    const end = begin + marks.length;
    const before = [...this.#text.slice(Math.max(0, begin - 2), begin)].at(-1) ?? "";
    const after = [...this.#text.slice(end, end + 2)].at(0) ?? "";
    const isDouble = marks.length > 1;
    const isMark = { "*": marks.length <= 3, _: marks.length === 1, "~": marks.length === 2 }[mark];
    const left =
      isMark && canClose(before, after, isDouble) ? this.#closeEmphasis(mark, marks.length) : marks.length;
    if (isMark && left === marks.length && canOpen(before, after, isDouble)) this.#open(mark, left);
    this.#output.push(mark.repeat(left));
  }

  /** Ends emphasis of up to `length` marks, and returns the number of unused marks. */
  #closeEmphasis(mark: string, length: number): number {
    let left = length;
    while (left > 0) {
      const fits = (other: number) => other === left || other === 3 || left === 3;
      const opener = this.#openers.findLast((other) => other.mark === mark && fits(other.length));
      if (!opener || !this.#hasContent(opener)) break;
      const used = Math.min(opener.length, left);
      const content = this.#take(opener);
      opener.length -= used;
      left -= used;
      this.#output[opener.at] = mark.repeat(opener.length);
      this.#output.push(emphasised(mark, used, content));
      if (opener.length === 0) this.#openers = this.#openers.filter((other) => other !== opener);
    }
    return left;
  }

  #open(mark: string, length: number): void {
    this.#openers.push({ at: this.#output.length, mark, length });
  }

  #hasContent({ at }: Opener): boolean {
    const content = this.#output.slice(at + 1);
    return (
      content.some((part) => typeof part !== "string" || part.trim() !== "") && depthOf(content) < DEEPEST
    );
  }

  /** Removes the output after an opener; openers in it remain text. */
  #take(opener: Opener): Inline[] {
    this.#openers = this.#openers.filter(({ at }) => at <= opener.at);
    return joined(this.#output.splice(opener.at + 1));
  }
}

function linkTo(href: string, content: Inline[], isBare: boolean): Inline {
  const destination = hiddenDestination(textOf(content), href);
  return { kind: "link", href, isBare, hiddenDestination: destination, content, depth: depthOf(content) + 1 };
}

function textOf(content: readonly Inline[]): string {
  const text = (part: Inline) =>
    typeof part === "string" ? part : isNested(part) ? textOf(part.content) : part.text;
  return content.map(text).join("");
}

function emphasised(mark: string, length: number, content: Inline[]): Inline {
  const depth = depthOf(content) + 1;
  if (mark === "~") return { kind: "del", content, depth };
  if (length === 1) return { kind: "em", content, depth };
  const strong: Inline = { kind: "strong", content, depth };
  return length === 2 ? strong : { kind: "em", content: [strong], depth: depth + 1 };
}

const depthOf = (content: readonly Inline[]): number =>
  content.reduce<number>((deepest, part) => Math.max(deepest, isNested(part) ? part.depth : 0), 0);

const isNested = (part: Inline): part is Nested =>
  typeof part !== "string" && part.kind !== "code" && part.kind !== "mention";

function withoutLinks(part: Inline): Inline[] {
  if (!isNested(part)) return [part];
  const content = part.content.flatMap(withoutLinks);
  return part.kind === "link" ? content : [{ ...part, content }];
}

/** Joins neighbouring texts. */
function joined(parts: readonly Inline[]): Inline[] {
  const result: Inline[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (typeof part === "string" && typeof last === "string") result[result.length - 1] = last + part;
    else if (part !== "") result.push(part);
  }
  return result;
}
