import { expect, test } from "vitest";
import { mentionAt, toNames, toReadable, toTokens } from "./mention-text";

const person = (n: number, username: string) => ({
  id: `0193798b-8f7e-7cc1-9d6f-${String(n).padStart(12, "0")}`,
  username,
});
const ALI = person(1, "ali");
const DOTTED = person(2, "ali.baba");
const token = ({ id }: { id: string }) => `@[user:${id}]`;

test.each([
  ["hello @ali", `hello ${token(ALI)}`],
  ["@Ali, @ali.baba: hello.", `${token(ALI)}, ${token(DOTTED)}: hello.`],
  ["ask @ali. Or (@ali-)", `ask ${token(ALI)}. Or (${token(ALI)}-)`],
  ["@aliさん", `${token(ALI)}さん`],
  ["**@ali**", `**${token(ALI)}**`],
])("the names in %j become tokens, and names again", (text, body) => {
  expect(toTokens(text, [ALI, DOTTED]).body).toBe(body);
  expect(toNames(body, [ALI, DOTTED]).toLowerCase()).toBe(text.toLowerCase());
});

test.each([
  "mail@ali or @alice or @@ali",
  "https://example.org/@ali",
  "`@ali` and\n```\n@ali\n```",
  "```\n@ali",
  "@zoe",
])("%j stays as typed", (text) => {
  expect(toTokens(text, [ALI, DOTTED])).toEqual({ body: text, mentions: [] });
});

test("people are mentioned once each, in order, and no more than ten of them", () => {
  expect(toTokens("@ali.baba @ali @ali.baba", [ALI, DOTTED]).mentions).toEqual([DOTTED, ALI]);
  const crowd = Array.from({ length: 12 }, (_, n) => person(n, `person${n}`));
  const { body, mentions } = toTokens(crowd.map(({ username }) => `@${username}`).join(" "), crowd);
  expect(mentions).toHaveLength(10);
  expect(body.endsWith("@person10 @person11")).toBe(true);
});

test("a token of somebody unknown stays", () => {
  expect(toNames(token(DOTTED), [ALI])).toBe(token(DOTTED));
});

test("an excerpt has no tokens, not even a part of one", () => {
  const nameOf = (id: string) => (id === ALI.id ? "ali" : undefined);
  expect(toReadable(`${token(ALI)} and ${token(DOTTED)}`, nameOf)).toBe("@ali and @someone");
  const long = `${"x".repeat(150)}${token(ALI)}`.slice(0, 160);
  expect(toReadable(long, nameOf)).toBe(`${"x".repeat(150)}@…`);
});

test.each([
  ["@", { start: 0, query: "" }],
  ["hello @al", { start: 6, query: "al" }],
  ["(@al", { start: 1, query: "al" }],
  ["mail@al", null],
  ["@al ", null],
  ["no", null],
])("the mention that is being typed in %j", (text, begun) => {
  expect(mentionAt(text, text.length)).toEqual(begun);
});
