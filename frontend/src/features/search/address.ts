// The search in the address: the parameter `search` of any page, so that a search can be shared and "back" returns to it.

import { browserStorage } from "../../browser/storage";
import { type Location, useLocation, useNavigate, useSearchParams } from "../../ui/router";
import { session } from "../session/session";

const PARAM = "search";
/** Recent searches of each user; `recent.ts` reads and writes them. */
export const RECENT = "gapless.searches.";

/** The text of the open search, possibly empty; null if none is open. */
export const useSearchText = (): string | null => useSearchParams().get(PARAM);

/** The same page with another search; null closes it. */
export function pathWithSearch(
  { pathname, search, hash }: Pick<Location, "pathname" | "search" | "hash">,
  text: string | null,
): string {
  const params = new URLSearchParams(search);
  if (text === null) params.delete(PARAM);
  else params.set(PARAM, text);
  const query = params.toString();
  return pathname + (query && `?${query}`) + hash;
}

/** Opens the search with `text`; one that is open gets the focus instead. */
export function useOpenSearch(): (text: string) => void {
  const location = useLocation();
  const navigate = useNavigate();
  return (text) => {
    const field = document.querySelector<HTMLInputElement>("[data-search]");
    if (field) field.select();
    else navigate(pathWithSearch(location, text));
  };
}

/** The filter for one room, by its slug or its name. */
export function inRoom({ slug, name }: { slug?: string; name: string }): string {
  return `in:${slug || quoted(name)} `;
}

const quoted = (name: string) => (/\s/.test(name) ? `"${name.replaceAll('"', "")}"` : name);

// Recent searches are not left to the next user of this browser.
session.subscribe(() => {
  if (session.userId !== null) return;
  for (const key of browserStorage.keys(RECENT)) if (key !== RECENT) browserStorage.remove(key);
});
