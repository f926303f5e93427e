// Mentions in texts: a message has `@[user:<id>]`, and a field shows `@name`.

import type { Author } from "../../api/gen/types.gen";

/** Maximum number of people that a message mentions. */
const MOST_MENTIONS = 10;

const TOKEN = /@\[user:([0-9a-f-]{36})\]/g;
/** A name that begins a word, and the marks that may end a sentence after it. */
const NAME = /(?<![\p{L}\p{N}_@./-])@([A-Za-z0-9_.-]+)/gu;
const CODE = /(```[\s\S]*?(?:```|$)|`[^`\n]+`)/;
/** The part of a token that is left at the end of an excerpt. */
const CUT_TOKEN = /@\[(?:u(?:s(?:e(?:r(?::[0-9a-f-]*)?)?)?)?)?$/;

/** Replaces the tokens of `people` by their names; others stay as they are. */
export function toNames(body: string, people: readonly Author[]): string {
  return body.replace(TOKEN, (token, id) => {
    const person = people.find((person) => person.id === id);
    return person ? `@${person.username}` : token;
  });
}

/** An excerpt without tokens; `nameOf` returns the name of a person, if it is known. */
export function toReadable(excerpt: string, nameOf: (id: string) => string | undefined): string {
  return excerpt.replace(TOKEN, (_, id) => `@${nameOf(id) ?? "someone"}`).replace(CUT_TOKEN, "@…");
}

/** Replaces the names of `people` by tokens, except in code, and returns who is mentioned. */
export function toTokens(text: string, people: readonly Author[]): { body: string; mentions: Author[] } {
  if (people.length === 0) return { body: text, mentions: [] };
  const byName = new Map(people.map((person) => [person.username.toLowerCase(), person]));
  const mentions: Author[] = [];
  const withTokens = (part: string) =>
    part.replace(NAME, (typed: string, word: string) => {
      let name = word.toLowerCase();
      while (!byName.has(name) && /[.-]$/.test(name)) name = name.slice(0, -1);
      const person = byName.get(name);
      if (!person) return typed;
      if (!mentions.includes(person)) {
        if (mentions.length === MOST_MENTIONS) return typed;
        mentions.push(person);
      }
      return `@[user:${person.id}]${word.slice(name.length)}`;
    });
  const parts = text.split(CODE);
  return { body: parts.map((part, at) => (at % 2 === 1 ? part : withTokens(part))).join(""), mentions };
}

/** Returns whether a body names the whole room, outside of code. */
export function namesRoom(body: string): boolean {
  return body
    .split(CODE)
    .some((part, at) => at % 2 === 0 && /(?<![\p{L}\p{N}_@./-])@room(?![\p{L}\p{N}_-])/iu.test(part));
}

/** A mention that is being typed: the position of its `@`, and what follows it. */
export interface Begun {
  start: number;
  query: string;
}

/** Returns the mention that is being typed before the caret. */
export function mentionAt(text: string, caret: number): Begun | null {
  const match = /(?:^|[\s([{"'])@([A-Za-z0-9_.-]{0,32})$/.exec(text.slice(0, caret));
  const query = match?.[1];
  return query === undefined ? null : { start: caret - query.length - 1, query };
}
