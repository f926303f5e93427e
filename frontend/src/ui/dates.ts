// Formats times and numbers for people, in the reader's time zone. The app's words are English, so names of months and
// digits are, too; the order of a date and the clock, with 12 or 24 hours, are the reader's.

const LOCALE = englishOf(globalThis.navigator?.languages ?? []);
const { hourCycle = "h23" } = new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions();

/** The reader's own English, or British English, whose dates most of the world can read. */
export function englishOf(languages: readonly string[]): string {
  return languages.find((language) => /^en-/i.test(language)) ?? "en-GB";
}

const formatOf = (options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat(LOCALE, { hourCycle, ...options });

const clock = formatOf({ hour: "numeric", minute: "2-digit" });
const dayAndMonth = formatOf({ weekday: "long", day: "numeric", month: "long" });
const dayMonthYear = formatOf({ dateStyle: "long" });
const full = formatOf({ dateStyle: "full", timeStyle: "medium" });
const short = formatOf({ dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });
const whole = new Intl.NumberFormat(LOCALE);

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

export const clockTime = (iso: string) => clock.format(new Date(iso));
export const fullTime = (iso: string) => full.format(new Date(iso));
export const shortTime = (iso: string) => short.format(new Date(iso));

/** "10,200 messages", "1 message" */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${whole.format(count)} ${count === 1 ? one : many}`;
}

/** "Today", "Yesterday", "Friday, 20 November", with the year if it is not the current one. */
export function dayName(date: Date, now = new Date()): string {
  const midnight = (day: Date) => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
  const daysAgo = Math.round((midnight(now) - midnight(date)) / DAY_MS);
  if (daysAgo === 0 || daysAgo === 1) return capitalised(relative.format(-daysAgo, "day"));
  return date.getFullYear() === now.getFullYear() ? dayAndMonth.format(date) : dayMonthYear.format(date);
}

/** The time if it is today, the date otherwise; for lists with little space. */
export function briefTime(iso: string, now = new Date()): string {
  const date = new Date(iso);
  return date.toDateString() === now.toDateString() ? clock.format(date) : dayName(date, now);
}

/** "10 minutes", "2 hours", "3 days": a period, rounded to its largest unit. */
export function periodOf(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / MINUTE_MS));
  if (minutes < 60) return counted(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return hours < 48 ? counted(hours, "hour") : counted(Math.round(hours / 24), "day");
}

function capitalised(text: string): string {
  return text.charAt(0).toLocaleUpperCase(LOCALE) + text.slice(1);
}
