// The text of a search: what is sent of it, and what can be added. The server defines the language.

/** A choice that replaces the text of the search. */
export interface Suggestion {
  /** The text that it stands for, such as `from:ali`. */
  label: string;
  hint: string;
  text: string;
  isRecent?: boolean;
}

interface Known {
  rooms: readonly { name: string; slug?: string }[];
  people: readonly string[];
  recent: readonly string[];
  now: Date;
}

/** Suggestions shown at once. */
const MOST = 8;
const DAY_MS = 86_400_000;

const FILTERS = [
  { label: "from:", hint: "a person" },
  { label: "in:", hint: "a room" },
  { label: "has:", hint: "link or code" },
  { label: "before:", hint: "a day" },
  { label: "after:", hint: "a day" },
];

/** The filter that is being typed at the end of the text. */
const LAST = /(^|\s)(-?)(from|in|has|before|after):(\S*)$/i;

/** Returns what can be sent of a text that is being typed; null if there is nothing to search for yet. */
export function askable(text: string): string | null {
  const asked = text.replace(LAST, (all, ...[, , , value]) => (value === "" ? "" : all)).trim();
  return asked === "" ? null : asked;
}

/** One letter of an alphabet begins too many words. */
export const isTooShort = (asked: string): boolean =>
  /^[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}]$/u.test(asked);

/** The room that a search is limited to, as it is named there; null without. */
export const roomIn = (asked: string): string | null =>
  /(?:^|\s)in:(?:"([^"]+)"|(\S+))/i.exec(asked)?.slice(1).find(Boolean) ?? null;

/** The same search in all rooms. */
export const everywhere = (text: string): string =>
  text
    .replace(/(^|\s)in:(?:"[^"]*"|\S*)/gi, "$1")
    .replace(/\s+/g, " ")
    .trim();

/** Returns what can follow. An empty text is offered recent searches and all filters. */
export function suggestionsFor(text: string, known: Known): Suggestion[] {
  if (text.trim() === "") {
    return [
      ...known.recent.map((recent) => ({
        label: recent,
        hint: "recent search",
        text: recent,
        isRecent: true,
      })),
      ...FILTERS.map((filter) => ({ ...filter, text: filter.label })),
    ];
  }
  const match = LAST.exec(text);
  if (!match)
    return alone(text) ? FILTERS.map((filter) => ({ ...filter, text: `${text}${filter.label}` })) : [];
  const [, , not = "", filter = "", typed = ""] = match;
  const start = text.slice(0, text.length - filter.length - typed.length - not.length - 1);
  return valuesOf(filter.toLowerCase(), typed, known)
    .slice(0, MOST)
    .map(({ value, hint }) => {
      const label = `${not}${filter.toLowerCase()}:${value}`;
      return { label, hint, text: `${start}${label} ` };
    });
}

/** True if the suggestions only show what a search can be made of: none is chosen before the reader chooses one. */
export const isGuided = (text: string): boolean => text.trim() === "" || alone(text);

/** After a room alone: its newest messages are no search. */
const alone = (text: string) => /^(?:\s*in:(?:"[^"]*"|\S+))+\s+$/i.test(text);

interface Value {
  value: string;
  hint: string;
}

/** A complete value is not suggested: the results are shown instead. */
function valuesOf(filter: string, typed: string, { rooms, people, now }: Known): Value[] {
  const wanted = typed.replace(/^[@#"]/, "").toLocaleLowerCase();
  if (filter === "in") {
    const found = rooms.map(({ name, slug }) => ({ value: slug || `"${name}"`, hint: name }));
    if (found.some(({ value }) => value === wanted)) return [];
    return found.filter((room) => `${room.value} ${room.hint}`.toLocaleLowerCase().includes(wanted));
  }
  if (filter === "from") {
    if (people.some((name) => name.toLocaleLowerCase() === wanted)) return [];
    return people
      .filter((name) => name.toLocaleLowerCase().startsWith(wanted))
      .map((value) => ({ value, hint: "" }));
  }
  const values = filter === "has" ? CONTENTS : daysBefore(now);
  return values.some(({ value }) => value === wanted)
    ? []
    : values.filter(({ value }) => value.startsWith(wanted));
}

const CONTENTS: Value[] = [
  { value: "link", hint: "messages with a link" },
  { value: "code", hint: "messages with code" },
];

function daysBefore(now: Date): Value[] {
  const day = (count: number) => new Date(now.getTime() - count * DAY_MS).toISOString().slice(0, 10);
  return [
    { value: day(0), hint: "today" },
    { value: day(1), hint: "yesterday" },
    { value: day(7), hint: "a week ago" },
    { value: day(30), hint: "30 days ago" },
    { value: day(365), hint: "a year ago" },
  ];
}
