// Randomly generated Markdown, made of the tokens that the parsers look for. `FUZZ_RUNS=500000 npm test -- hostile`
// searches for minutes.

import fc from "fast-check";
import { expect, test } from "vitest";
import { richText } from "./rich-text";

const PIECES = [
  ..."*_`~[]()<>!#|\\&:;=\"' \n\t-+./",
  "**",
  "__",
  "```",
  "~~",
  "<script>",
  "</p>",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "<a href='javascript:alert(1)'>",
  "<style>",
  "<!--",
  "-->",
  "<![CDATA[",
  "[a](javascript:alert(1))",
  "[a](data:text/html,x)",
  "<javascript:alert(1)>",
  "[a]( &#106;avascript:alert(1) 'b')",
  "javascript:",
  "data:text/html,",
  "vbscript:",
  "https://example.org",
  "www.example.org",
  "mailto:a@b.example",
  "a@b.example",
  "&lt;",
  "&#x6A;",
  "&colon;",
  "](",
  "![",
  "[x]: ",
  "\u202e",
  "\u200b",
  "\u0000",
  "日本",
  "😀",
];

const markdown = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...PIECES) },
      fc.string({ unit: "binary", maxLength: 8 }),
    ),
    {
      maxLength: 60,
    },
  )
  .map((pieces) => pieces.join("").slice(0, 4_000));

const TAGS = new Set(["A", "BR", "CODE", "DEL", "EM", "P", "PRE", "STRONG"]);
const LINK_ATTRIBUTES = ["href", "rel", "target"];

/** Parses the HTML as a browser would, outside any page. */
function parsed(html: string): Element[] {
  return [...new DOMParser().parseFromString(html, "text/html").body.querySelectorAll("*")];
}

function isHarmless(element: Element): boolean {
  if (!TAGS.has(element.tagName)) return false;
  const names = element.getAttributeNames();
  if (element.tagName === "CODE") return names.every((name) => name === "translate");
  if (element.tagName !== "A") return names.length === 0;
  const href = element.getAttribute("href");
  return (
    names.every((name) => LINK_ATTRIBUTES.includes(name)) &&
    (href === null || /^(https?|mailto):/i.test(href))
  );
}

test("text produces only the eight allowed tags, and no script links", () => {
  fc.assert(
    fc.property(markdown, (body) => {
      expect(parsed(richText(body)).filter((element) => !isHarmless(element))).toEqual([]);
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 300) },
  );
}, 1_200_000);

test.each([
  "*".repeat(4_000),
  "[".repeat(4_000),
  "**a".repeat(1_333),
  "![](".repeat(1_000),
  "<".repeat(4_000),
  `${"`".repeat(2_000)}a`,
  "a@".repeat(2_000),
  "\\".repeat(4_000),
  "https://".repeat(500),
  "_a_ ".repeat(1_000),
])("the longest message of one repeated token is formatted quickly (%#)", (body) => {
  expect(richText(body).length).toBeGreaterThan(0);
});
