import { render } from "@testing-library/react";
import fc from "fast-check";
import { renderToStaticMarkup } from "react-dom/server";
import { beforeEach, expect, test, vi } from "vitest";
import { RichText } from "./RichText";

// Without a clipboard, code has no button.
beforeEach(() => {
  vi.stubGlobal("navigator", { clipboard: undefined });
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
});

/** The HTML in the outermost element. */
const html = (body: string) =>
  renderToStaticMarkup(<RichText body={body} />)
    .replace(/^<div[^>]*>/, "")
    .replace(/<\/div>$/, "");

function shown(body: string): HTMLElement {
  return render(<RichText body={body} />).container;
}

const LINK = 'target="_blank" rel="noopener noreferrer nofollow"';

test.each([
  ["two\nlines", "<p>two\nlines</p>"],
  [
    "**bold** and *soft* and _soft_ and ~~gone~~ and `code`",
    '<p><strong>bold</strong> and <em>soft</em> and <em>soft</em> and <del>gone</del> and <code translate="no">code</code></p>',
  ],
  ["***both***", "<p><em><strong>both</strong></em></p>"],
  ["**bold *both***", "<p><strong>bold <em>both</em></strong></p>"],
  ["***both** soft*", "<p><em><strong>both</strong> soft</em></p>"],
  [
    "see https://example.org/a",
    `<p>see <a ${LINK} href="https://example.org/a">https://example.org/a</a></p>`,
  ],
  [
    "[text **bold**](https://example.org)",
    `<p><a ${LINK} href="https://example.org" title="https://example.org">text <strong>bold</strong></a></p>`,
  ],
  ["a@b.example", `<p><a ${LINK} href="mailto:a@b.example">a@b.example</a></p>`],
  ["www.example.org.", `<p><a ${LINK} href="https://www.example.org">www.example.org</a>.</p>`],
  ["<b>not</b> html", "<p>&lt;b&gt;not&lt;/b&gt; html</p>"],
  ["``a ` b``", '<p><code translate="no">a ` b</code></p>'],
  ["`` `a` ``", '<p><code translate="no">`a`</code></p>'],
  ["🔥**hot**🔥", "<p>🔥<strong>hot</strong>🔥</p>"],
  ["**これは「太字」**です", "<p><strong>これは「太字」</strong>です</p>"],
  ["これは**太字**です", "<p>これは<strong>太字</strong>です</p>"],
  ["**강조**는", "<p><strong>강조</strong>는</p>"],
  ["（https://example.org/）", `<p>（<a ${LINK} href="https://example.org/">https://example.org/</a>）</p>`],
  ["https://example.orgを見て", `<p><a ${LINK} href="https://example.org">https://example.org</a>を見て</p>`],
  [
    "(https://example.org/Rust_(language))",
    `<p>(<a ${LINK} href="https://example.org/Rust_(language)">https://example.org/Rust_(language)</a>)</p>`,
  ],
  [
    "**https://example.org**",
    `<p><strong><a ${LINK} href="https://example.org">https://example.org</a></strong></p>`,
  ],
  [
    "```\nlet x = 1 < 2\n```",
    '<div class="code-block"><div><span translate="no"></span></div><pre><code translate="no">let x = 1 &lt; 2</code></pre></div>',
  ],
  [
    "```rust\nlet x = 1;```\nafter",
    '<div class="code-block"><div><span translate="no">rust</span></div><pre><code translate="no">let x = 1;</code></pre></div><p>after</p>',
  ],
  ["# title\ntext", '<p><strong><span class="font-normal text-muted"># </span>title</strong>\ntext</p>'],
  [
    "> quoted\n> **twice**\n\nanswer",
    "<blockquote><p>quoted\n<strong>twice</strong></p></blockquote><p>answer</p>",
  ],
  ["> one\n> > two", "<blockquote><p>one</p><blockquote><p>two</p></blockquote></blockquote>"],
  ["> quoted\nanswer", "<blockquote><p>quoted</p></blockquote><p>answer</p>"],
  [
    "- a\n  - b\n\t\tc\n- d",
    '<ul role="list"><li><span aria-hidden="true">• </span><p>a</p><ul role="list"><li><span aria-hidden="true">• </span><p>b\n    c</p></li></ul></li><li><span aria-hidden="true">• </span><p>d</p></li></ul>',
  ],
  [
    "first\n03. a\n\n04. b\nlast",
    '<p>first</p><ol role="list" data-loose="true"><li><span>03. </span><p>a</p></li><li><span>04. </span><p>b</p></li></ol><p>last</p>',
  ],
  [
    "|a|b|\n|-|-|\n|1|2|",
    '<div class="code-block"><div><span translate="no"></span></div><pre><code translate="no">|a|b|\n|-|-|\n|1|2|</code></pre></div>',
  ],
])("%j", (body, expected) => {
  expect(html(body)).toBe(expected);
});

test.each([
  "2*3*4",
  "2 * 3 * 4",
  "2**3**4",
  "縦*横*高さ",
  "¯\\_(ツ)_/¯",
  "¯_(ツ)_/¯",
  "C:\\Users\\me\\*file*",
  "\\*not soft\\*",
  "&lt;b&gt; &amp; &#42;",
  "snake_case_name __init__",
  "*.txt *.md",
  "src/**/*.ts and **/*.rs",
  ".*foo.*",
  "f(*args, **kwargs)",
  "char *a, *b;",
  "*/5 * * * * backup",
  "* * * * * backup",
  "~5 or ~6",
  "~~~",
  "``` ```",
  "```\n```",
  "- 5",
  ">:(",
  ">>> print(1)",
  "---",
  "a\n===",
  "    four spaces",
  "one\n    four spaces\n\n\n\nafter blank lines",
  "\ttab\ttab",
  "[]()",
  "[a]()",
  "[]( <> )",
  "[a]: b",
  "[x] done",
  "![img](pictures/x.png)",
  "[a](javascript:alert(1))",
  "[a](data:text/html,x)",
  "[a](/settings)",
  "javascript:alert(1)",
  "ftp://example.org",
  "https://",
  "http://)",
  "*open\n\nclosed*",
  '<div class="a">\n  <p>text</p>\n</div>',
  "<script>alert(1)</script>",
  "<!-- x -->",
])("%j is shown as typed", (body) => {
  expect(shown(body).textContent).toBe(body);
  expect(shown(body).querySelector("a, code, strong, em, del, ol, ul, blockquote, pre")).toBeNull();
});

test.each([
  ["[https://bank.example](https://evil.example/login)", "https://bank.example (evil.example)"],
  ["[bank.example/a.html](https://evil.example/login)", "bank.example/a.html (evil.example)"],
  ["[the **Bank。example**](https://evil.example)", "the Bank。example (evil.example)"],
  ["[b\u200bank.example](https://evil.example)", "b\u200bank.example (evil.example)"],
  ["[ｂａｎｋ.example](https://evil.example)", "ｂａｎｋ.example (evil.example)"],
  ["[https://bаnk.example](https://bank.example)", "https://bаnk.example (bank.example)"],
  ["[info@bank.example](mailto:info@evil.example)", "info@bank.example (info@evil.example)"],
  ["[bank.example](https://bank.example@evil.example)", "bank.example (evil.example)"],
  ["https://bank.example@evil.example/", "https://bank.example@evil.example/ (evil.example)"],
  ["[README.md](https://git.example/a/README.md)", "README.md (git.example)"],
])("%s shows where it leads", (body, text) => {
  expect(shown(body)).toHaveTextContent(text, { normalizeWhitespace: false });
});

test.each([
  ["[our page](https://example.org/page.html)", "our page"],
  ["[Example.org/page.html](https://www.example.org/page.html)", "Example.org/page.html"],
  ["[日本.example](https://日本.example/a)", "日本.example"],
  ["https://example.org/file.tar.gz", "https://example.org/file.tar.gz"],
  ["www.example.org/file.tar.gz", "www.example.org/file.tar.gz"],
  ["a@b.example", "a@b.example"],
])("%s has no note, because it leads to what it says", (body, text) => {
  expect(shown(body).textContent).toBe(text);
});

test("an image and a link with a title are shown as typed, with their address as a link", () => {
  for (const body of ["![img](https://example.org/x)", '[a](https://example.org/x "title")']) {
    expect(shown(body)).toHaveTextContent(body);
    expect(shown(body).querySelector("a")).toHaveTextContent(/^https:\/\/example.org\/x$/);
  }
});

test("blank lines at the edge of a block are kept, but for the one that its space stands for", () => {
  expect(html("a\n\n> b\n\n\nc")).toBe("<p>a</p><blockquote><p>b</p></blockquote><p>\nc</p>");
  // A browser does not show the last line break.
  expect(html("a\n\n\n> b")).toBe("<p>a\n\n</p><blockquote><p>b</p></blockquote>");
});

test("an edited text replaces all elements, which a translator may have changed", () => {
  const { container, rerender } = render(<RichText body="one **two** three" />);
  container.querySelector("p")?.replaceChildren("translated");
  rerender(<RichText body="four *five*" />);
  expect(container).toHaveTextContent("four five");
});

const PIECES = [
  ..."*_`~[]()<>!#|\\&:;=\"' \n\n\t-+./",
  "**",
  "```",
  "~~",
  "\n- ",
  "\n  - ",
  "\n1. ",
  "\n07) ",
  "\n> ",
  "\n# ",
  "\n```js\n",
  "\n|a|b|\n|-|-|\n",
  "[a](https://example.org/x)",
  "[b.example](https://example.org/x)",
  "https://example.org/(y)",
  "www.example.org",
  "a@b.example",
  "&lt;",
  "<b>",
  "word",
  "42",
  "これは",
  "「太字」",
  "😀",
];

/** Letters and digits, with the targets of links, in the order of the source. */
function written(node: Node): string {
  if (!(node instanceof Element)) return node.textContent ?? "";
  if (node.tagName === "BDI") return "";
  const inside = [...node.childNodes].map(written).join("");
  const href = node.getAttribute("href");
  const isBare = ["", "mailto:", "https://"].some((start) => href === start + inside);
  return href === null || isBare ? inside : inside + href;
}

const letters = (text: string) => text.replace(/[^\p{L}\p{N}]/gu, "");

test("every letter and digit is shown, in order", () => {
  const bodies = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...PIECES) },
      fc.string({ unit: "grapheme", maxLength: 6 }),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(bodies, (pieces) => {
      const body = pieces.join("");
      const element = document.createElement("div");
      element.innerHTML = renderToStaticMarkup(<RichText body={body} />);
      expect(letters(written(element))).toBe(letters(body));
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 500) },
  );
}, 1_200_000);

test("a mention is a chip with a name; without its person it stays as typed", () => {
  const zoe = { id: "0193798b-8f7e-7cc1-9d6f-000000000003", username: "zoe" };
  const stranger = "@[user:0193798b-8f7e-7cc1-9d6f-000000000004]";
  const body = `**@[user:${zoe.id}]** and ${stranger}, \`@[user:${zoe.id}]\``;
  const { container } = render(<RichText body={body} mentions={[zoe]} />);
  expect(container.querySelector("strong [data-mention=other]")).toHaveTextContent("@zoe");
  expect(container).toHaveTextContent(`@zoe and ${stranger}, @[user:${zoe.id}]`);
});
