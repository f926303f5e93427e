// Converts message text to HTML: links, line breaks, bold, emphasis, code. A separate chunk, loaded on first use.

import DOMPurify from "dompurify";
import { Marked } from "marked";

const escapeHtml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** No headings, lists, tables, quotes or images, and HTML is shown as text. */
const marked = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: {
    heading: () => undefined,
    lheading: () => undefined,
    hr: () => undefined,
    list: () => undefined,
    blockquote: () => undefined,
    table: () => undefined,
    def: () => undefined,
    code: () => undefined,
  },
  renderer: {
    html: ({ text }) => escapeHtml(text),
    image: ({ raw }) => escapeHtml(raw),
    // A link without a target is shown as typed; `false` leaves all others to marked.
    link: ({ href, raw }) => href.trim() === "" && escapeHtml(raw),
  },
});

const ALLOWED = {
  ALLOWED_TAGS: ["a", "br", "code", "del", "em", "p", "pre", "strong"],
  ALLOWED_ATTR: ["href"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
};

export function richText(body: string): string {
  const html = DOMPurify.sanitize(marked.parse(body, { async: false }), ALLOWED);
  return html
    .replaceAll("<a href=", '<a target="_blank" rel="noopener noreferrer nofollow" href=')
    .replaceAll("<code>", '<code translate="no">');
}
