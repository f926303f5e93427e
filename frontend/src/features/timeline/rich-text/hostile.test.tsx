// Randomly generated Markdown, made of the tokens that the parsers look for. `FUZZ_RUNS=500000 npm test -- hostile`
// searches for minutes.

import fc from "fast-check";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { RichText } from "./RichText";

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

/** The allowed elements, and their attributes. */
const ALLOWED: Record<string, readonly string[]> = {
  A: ["href", "rel", "target", "title"],
  BDI: ["class", "translate"],
  BLOCKQUOTE: [],
  BUTTON: ["aria-label", "type"],
  CODE: ["translate"],
  DEL: [],
  DIV: ["class", "dir"],
  EM: [],
  LI: [],
  OL: ["role", "data-loose"],
  P: [],
  PRE: [],
  SPAN: ["aria-hidden", "class", "translate"],
  STRONG: [],
  UL: ["role", "data-loose"],
};

const richText = (body: string) => renderToStaticMarkup(<RichText body={body} />);

/** Parses the HTML as a browser would, outside any page. */
function parsed(html: string): Element[] {
  return [...new DOMParser().parseFromString(html, "text/html").body.querySelectorAll("*")];
}

function isHarmless(element: Element): boolean {
  const href = element.getAttribute("href");
  return (
    element.getAttributeNames().every((name) => ALLOWED[element.tagName]?.includes(name) === true) &&
    element.tagName in ALLOWED &&
    (href === null || /^(https?:\/\/|mailto:)/i.test(href))
  );
}

test("text produces only the allowed elements, and no script links", () => {
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
  `${"*a ".repeat(666)}${"b* ".repeat(666)}`,
  `${"[a".repeat(1_000)}${"](".repeat(1_000)}`,
  "![](".repeat(1_000),
  "<".repeat(4_000),
  "> ".repeat(2_000),
  "- ".repeat(2_000),
  "- a\n".repeat(1_000),
  "- a\n* a\n".repeat(500),
  Array.from({ length: 60 }, (_, depth) => `${" ".repeat(2 * depth)}- a`).join("\n"),
  "```\n".repeat(1_000),
  "|-|\n".repeat(1_000),
  `|${" ".repeat(3_000)}\n|${" ".repeat(900)}x|`,
  `${"`".repeat(2_000)}a`,
  "`a``a```a".repeat(400),
  "a@".repeat(2_000),
  "a_".repeat(2_000),
  "a.".repeat(2_000),
  "\\".repeat(4_000),
  "https://".repeat(500),
  `https://a${")".repeat(3_900)}`,
  "_a_ ".repeat(1_000),
  "\n".repeat(4_000),
])("the longest message of one repeated token is formatted quickly (%#)", (body) => {
  expect(richText(body).length).toBeGreaterThan(0);
});
