// Finds and orders entries of the switcher.

export interface Entry {
  /** Unique among all entries. */
  id: string;
  kind: "room" | "person" | "command";
  label: string;
  /** Further words by which it is found. */
  keywords?: string;
  unread: number;
  /** Position among the places visited last, 0 for the latest; null if it was not visited. */
  visited: number | null;
}

export interface Group<E> {
  title: string;
  entries: E[];
}

/** Entries of each group while nothing is typed. */
const IN_GROUP = 6;
/** Entries that match what is typed. */
const MOST_FOUND = 12;
/** Scores of texts that contain what is typed as a whole are higher than this. */
const SPREAD_BELOW = 50;
const KEYWORD_SCORE = 30;

/** Entries to offer while nothing is typed: unread ones, then those visited last, then all others by name. */
export function offered<E extends Entry>(entries: readonly E[]): Group<E>[] {
  const places = entries.filter(({ kind }) => kind !== "command");
  const unread = places.filter((entry) => entry.unread > 0).sort(byVisit);
  const read = places.filter((entry) => entry.unread === 0);
  const visited = read.filter((entry) => entry.visited !== null).sort(byVisit);
  const others = read.filter((entry) => entry.visited === null && entry.kind === "room");
  const groups = [
    { title: "Unread", entries: unread.slice(0, IN_GROUP) },
    { title: "Recent", entries: visited.slice(0, IN_GROUP) },
    { title: "Rooms", entries: others.slice(0, IN_GROUP) },
    { title: "Commands", entries: entries.filter(({ kind }) => kind === "command").slice(0, IN_GROUP) },
  ];
  return groups.filter((group) => group.entries.length > 0);
}

const byVisit = (a: Entry, b: Entry) =>
  (a.visited ?? Number.POSITIVE_INFINITY) - (b.visited ?? Number.POSITIVE_INFINITY);

/** Entries that match `query`, best first. Letters with others between them only count if nothing matches better. */
export function found<E extends Entry>(entries: readonly E[], query: string): E[] {
  const wanted = folded(query);
  const rated = entries.flatMap((entry) => {
    const own = scoreOf(folded(entry.label), wanted);
    const other = entry.keywords && folded(entry.keywords).includes(wanted) ? KEYWORD_SCORE : 0;
    const score = Math.max(own, other);
    return score > 0 ? [{ entry, score: score + bonusOf(entry) }] : [];
  });
  const isClear = rated.some(({ score }) => score >= SPREAD_BELOW);
  const kept = isClear ? rated.filter(({ score }) => score >= SPREAD_BELOW / 2) : rated;
  kept.sort((a, b) => b.score - a.score || a.entry.label.length - b.entry.label.length);
  return kept.slice(0, MOST_FOUND).map(({ entry }) => entry);
}

/** Smaller than the difference between two ways of matching. */
function bonusOf({ unread, visited }: Entry): number {
  return (unread > 0 ? 5 : 0) + (visited === null ? 0 : 4 - Math.min(visited, 20) / 10);
}

/** Rates how well `text` matches `wanted`, both folded; 0 if it does not. */
function scoreOf(text: string, wanted: string): number {
  if (text === wanted) return 100;
  if (text.startsWith(wanted)) return 85;
  const at = text.indexOf(wanted);
  if (at > 0) return /[\p{L}\p{N}]/u.test(text.charAt(at - 1)) ? 50 : 70;
  return spreadScoreOf(text, wanted.replace(/\s/g, ""));
}

/** Rates a text that contains the letters in order, with others between: up to 15, less for larger gaps. */
function spreadScoreOf(text: string, wanted: string): number {
  let last = -1;
  let gaps = 0;
  for (const letter of wanted) {
    const at = text.indexOf(letter, last + 1);
    if (at < 0) return 0;
    // The beginning of a word is no gap: "gc" finds "General chat".
    const isWord = at === 0 || text[at - 1] === " " || text[at - 1] === "-";
    if (!isWord) gaps += last < 0 ? at : at - last - 1;
    last = at;
  }
  return Math.max(1, 15 - gaps);
}

/** Without case, accents and outer spaces. */
export function folded(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().trim();
}
