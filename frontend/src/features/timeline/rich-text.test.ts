import { expect, test } from "vitest";
import { richText } from "./rich-text";

const LINK = 'target="_blank" rel="noopener noreferrer nofollow"';

test.each([
  ["two\nlines", "<p>two<br>lines</p>"],
  [
    "**bold** and *soft* and `code`",
    '<p><strong>bold</strong> and <em>soft</em> and <code translate="no">code</code></p>',
  ],
  [
    "see https://example.org/a",
    `<p>see <a ${LINK} href="https://example.org/a">https://example.org/a</a></p>`,
  ],
  ["```\nlet x = 1 < 2\n```", '<pre><code translate="no">let x = 1 &lt; 2\n</code></pre>'],
  ["<b>not</b> html", "<p>&lt;b&gt;not&lt;/b&gt; html</p>"],
  ["<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"],
  ["![img](https://example.org/x.png)", "<p>![img](https://example.org/x.png)</p>"],
  ["[bad](javascript:alert(1))", `<p><a>bad</a></p>`],
])("%j", (body, html) => {
  expect(richText(body).trim()).toBe(html);
});

test.each([
  "# not a heading",
  "1. not a list",
  "- nor this",
  "> nor a quote",
  "---",
  "a\n===",
  "[]()",
  "[a]()",
  "[]( <> )",
  "    four spaces",
  "[a]: b",
  "|a|b|\n|-|-|",
])("%j is shown as typed", (body) => {
  const text = document.createElement("div");
  text.innerHTML = richText(body).replaceAll("<br>", "\n");
  expect(text.textContent?.trim()).toBe(body.trim());
  expect(text.querySelector("h1, h2, ol, ul, li, blockquote, hr, table, pre")).toBeNull();
});
