// Addresses in messages: where they begin and end, and which of them may become links.

import { CJK_PUNCTUATION, isSpaceless } from "./characters";

/** Ends an address: white space, quotation marks, CJK punctuation, and invisible characters. */
const END = `\\s<>"\`|\\\\\\p{Cc}\\p{Cf}\\p{Pi}\\p{Pf}„…،؛؟${CJK_PUNCTUATION}`;

/** A bare address. It may follow a CJK letter directly, and ends before the `](` of a link. */
export const BARE_ADDRESS = `(?<![A-Za-z0-9])(?:https?://|www\\.)(?:(?!\\]\\()[^${END}])+`;

export const EMAIL = "(?<![A-Za-z0-9.+-])[\\w.+-]+@[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+";

/** Returns the target for a link, or null for anything but http, https and mailto. */
export function hrefOf(address: string): string | null {
  const href = /^www\./i.test(address) ? `https://${address}` : address;
  return /^(?:https?:\/\/|mailto:)[^\s\p{Cc}]+$/iu.test(href) && URL.canParse(href) ? href : null;
}

/** Returns the part of a bare address without the text and punctuation that follows it. */
export function trimmedAddress(address: string): string {
  const kept = withoutPunctuation(withoutText(address));
  return /^(?:https?:\/\/)?[\p{L}\p{N}[]/iu.test(kept) ? kept : "";
}

/** In `https://example.orgを見て` the host ends where the script changes; `https://日本.example` is one host. */
function withoutText(address: string): string {
  const [start = ""] = /^(?:https?:\/\/)?/i.exec(address) ?? [];
  const [host = ""] = /^[\p{L}\p{M}\p{N}.-]*/u.exec(address.slice(start.length)) ?? [];
  const characters = [...host];
  if (!/^[A-Za-z0-9]/.test(host)) return address;
  const change = characters.findIndex(isSpaceless);
  const isText = change > 0 && !characters.slice(change).includes(".");
  return isText ? start + characters.slice(0, change).join("") : address;
}

const CLOSING: Record<string, string> = { ")": "(", "]": "[", "}": "{" };

/** A closing bracket belongs to the address only if it was opened there, as in `…/wiki/Rust_(language)`. */
function withoutPunctuation(address: string): string {
  const count = new Map<string, number>();
  for (const character of address) count.set(character, (count.get(character) ?? 0) + 1);
  let end = address.length;
  for (; end > 0; end--) {
    const last = address.charAt(end - 1);
    const opening = CLOSING[last];
    const isExtra = opening !== undefined && (count.get(last) ?? 0) > (count.get(opening) ?? 0);
    if (!isExtra && !/[?!.,:;*_~']/.test(last)) break;
    count.set(last, (count.get(last) ?? 0) - 1);
  }
  return address.slice(0, end);
}

/** Returns the target in parentheses at `at`, and the position after it; null if there is none, or if it has a title. */
export function targetAt(text: string, at: number): { address: string; end: number } | null {
  let depth = 0;
  for (let end = at; end < text.length; end++) {
    const character = text.charAt(end);
    if (/\s/.test(character)) return null;
    if (character === "(") depth++;
    else if (character === ")") depth--;
    if (depth === 0) {
      return end === at ? null : { address: text.slice(at + 1, end).replace(/^<(.*)>$/, "$1"), end: end + 1 };
    }
  }
  return null;
}

/** Text that looks like the name of a host: at the beginning of an address, but not a file in its path. */
const HOST_LIKE = /(?<=^|\/\/|[^\p{L}\p{N}./-])(?:[\p{L}\p{N}-]+\.)+(?:\p{L}{2,}|\d{1,3})/gu;

/** Returns the destination of a link if its text seems to lead elsewhere, as in `[bank.example](https://evil.example)`. */
export function hiddenDestination(text: string, href: string): string | null {
  const { protocol, host, pathname, username } = new URL(href);
  const destination = protocol === "mailto:" ? pathname : host;
  if (text === href || text === destination) return username === "" ? null : destination;
  const looks = text
    .normalize("NFKC")
    .replace(/\p{Cf}/gu, "")
    .replace(/[。｡]/g, ".");
  const shown = looks.match(HOST_LIKE) ?? [];
  return shown.some((name) => withoutWww(hostOf(name)) !== withoutWww(destination)) ? destination : null;
}

/** The host as browsers write it: in lower case, and in Punycode if it is not ASCII. */
const hostOf = (name: string) => (URL.canParse(`https://${name}`) ? new URL(`https://${name}`).host : name);

const withoutWww = (host: string) => host.replace(/^www\./, "");
