// Character classes for Markdown in every script.

/**
 * Scripts written without spaces between words, and Hangul, whose particles follow a word directly. CommonMark needs
 * spaces or punctuation around emphasis, and so ignores the emphasis in `**これは「太字」**です`.
 */
const SPACELESS = ["Han", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Thai", "Lao", "Khmer", "Myanmar"]
  .map((script) => `\\p{scx=${script}}`)
  .join("");

/** CJK and full-width punctuation. */
export const CJK_PUNCTUATION = "\\u3000-\\u303F\\uFF01-\\uFF0F\\uFF1A-\\uFF20\\uFF3B-\\uFF40\\uFF5B-\\uFF65";

const EMOJI = "\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\p{Regional_Indicator}\\uFE0F";

export const isSpaceless = (() => {
  const pattern = new RegExp(`[${SPACELESS}]`, "u");
  return (character: string) => pattern.test(character);
})();

const isSpace = (character: string) => character === "" || /\s/u.test(character);

const BEFORE_OPENING = new RegExp(`[\\p{Ps}\\p{Pi}\\p{Pd}"':;,|>…¡¿*_~${CJK_PUNCTUATION}${EMOJI}]`, "u");
const AFTER_CLOSING = new RegExp(`[\\p{Pe}\\p{Pf}\\p{Pd}"':;,.!?|<…*_~${CJK_PUNCTUATION}${EMOJI}]`, "u");
const NEVER_FIRST = /[\p{Pe}.,:;/\\=|%^&]/u;
const NEVER_LAST = /[\p{Ps}\\/=]/u;

/**
 * Returns whether a mark between these characters can begin emphasis: only at a word's border, so that `2*3*4`,
 * `snake_case`, `*.txt` and `.*` stay as typed. Of the marks, only doubled ones may touch a letter of a script without
 * spaces: `縦*横*高さ` is a product.
 */
export function canOpen(before: string, after: string, isDouble: boolean): boolean {
  if (isSpace(after) || NEVER_FIRST.test(after)) return false;
  return isSpace(before) || BEFORE_OPENING.test(before) || (isDouble && isSpaceless(before));
}

/** Returns whether a mark between these characters can end emphasis. */
export function canClose(before: string, after: string, isDouble: boolean): boolean {
  if (isSpace(before) || NEVER_LAST.test(before)) return false;
  return isSpace(after) || AFTER_CLOSING.test(after) || (isDouble && isSpaceless(after));
}
