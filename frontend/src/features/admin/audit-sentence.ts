// Describes entries of the audit trail as sentences.

import type { AuditEntry } from "../../api/gen/types.gen";
import { periodOf, shortTime } from "../../ui/dates";
import { keptPhrase } from "./RetentionDialog";

/** A piece of a sentence; `to` is the page of the room or person that it names. */
export interface Piece {
  text: string;
  to?: string;
}

/** "ali | muted | zoe |: too loud" */
export type Told = readonly [actor: Piece, verb: Piece, subject: Piece, rest: Piece];

/** Describes a change; a kind from a newer release is described by its name. */
export function told(entry: AuditEntry): Told {
  const { actor, kind } = entry;
  const [verb, subject, rest = ""] = WORDS[kind]?.(detailOf(entry), entry) ?? unknownKind(entry);
  const by = actor ? { text: actor.username, to: personPath(actor.username) } : { text: "The system" };
  return [by, { text: ` ${verb} ` }, subject, { text: rest }];
}

type Detail = Readonly<Record<string, unknown>>;
type Words = readonly [verb: string, subject: Piece, rest?: string | undefined];

const detailOf = ({ detail }: AuditEntry): Detail =>
  typeof detail === "object" && detail !== null ? (detail as Detail) : {};

const personPath = (username: string) => `/admin/users?query=${encodeURIComponent(username)}`;

/** The room under its name at that time, if the entry has it; under the present one otherwise. */
function roomOf({ room }: AuditEntry, name: unknown): Piece {
  const shown = typeof name === "string" ? name : room?.name;
  return { text: shown ? `“${shown}”` : "a room", ...(room ? { to: `/r/${room.id}` } : {}) };
}

const personOf = ({ user }: AuditEntry): Piece =>
  user ? { text: user.username, to: personPath(user.username) } : { text: "somebody" };

const because = (detail: Detail) => (detail.reason ? `: ${detail.reason}` : "");

/** "10 minutes, until 22 Nov 2026, 09:40" */
function muteTerm({ until }: Detail, { at }: AuditEntry): string {
  if (typeof until !== "string") return "";
  return ` for ${periodOf(Date.parse(until) - Date.parse(at))}, until ${shortTime(until)}`;
}

function topicChange({ from, to }: Detail): string {
  if (!to) return from ? ` (it was “${from}”)` : "";
  return from ? ` from “${from}” to “${to}”` : ` to “${to}”`;
}

function retentionChange(detail: Detail): string {
  if (!("days" in detail)) return "";
  const from = "from" in detail ? ` from ${keptPhrase(daysOf(detail.from))}` : "";
  return `${from} to ${keptPhrase(daysOf(detail.days))}`;
}

const daysOf = (days: unknown) => (typeof days === "number" ? days : null);

const WORDS: Readonly<Record<string, (detail: Detail, entry: AuditEntry) => Words>> = {
  "message.deleted": (_, entry) => ["deleted a message in", roomOf(entry, null)],
  "message.pinned": (_, entry) => ["pinned a message in", roomOf(entry, null)],
  "message.unpinned": (_, entry) => ["unpinned a message in", roomOf(entry, null)],
  "room.created": ({ name }, entry) => ["created the room", roomOf(entry, name)],
  "room.renamed": ({ from, to }, entry) => [
    "renamed the room",
    roomOf(entry, from),
    to ? ` to “${to}”` : undefined,
  ],
  "room.archived": ({ name }, entry) => ["archived the room", roomOf(entry, name)],
  "room.restored": ({ name }, entry) => ["restored the room", roomOf(entry, name)],
  "room.retention_set": (detail, entry) => [
    "changed message retention in",
    roomOf(entry, null),
    retentionChange(detail),
  ],
  "room.topic_set": (detail, entry) => [
    detail.to === "" ? "removed the topic of" : "changed the topic of",
    roomOf(entry, null),
    topicChange(detail),
  ],
  "room.landing_set": ({ name, from }, entry) => [
    "made",
    roomOf(entry, name),
    ` the landing room${from ? ` instead of “${from}”` : ""}`,
  ],
  "room.indexable_set": ({ name, indexable }, entry) => [
    indexable === false ? "asked search engines not to list" : "let search engines list",
    roomOf(entry, name),
  ],
  "user.role_set": ({ role, from }, entry) => [
    "changed the role of",
    personOf(entry),
    role ? `${from ? ` from ${from}` : ""} to ${role}` : undefined,
  ],
  "user.muted": (detail, entry) => ["muted", personOf(entry), muteTerm(detail, entry) + because(detail)],
  "user.unmuted": (_, entry) => ["unmuted", personOf(entry)],
  "user.banned": (detail, entry) => ["banned", personOf(entry), because(detail)],
  "user.unbanned": (_, entry) => ["unbanned", personOf(entry)],
  "user.erased": (_, entry) => ["erased", personOf(entry)],
  "sessions.ended": (_, entry) => ["ended the sessions of", personOf(entry)],
};

function unknownKind(entry: AuditEntry): Words {
  const { kind, user, room } = entry;
  const subject = user ? personOf(entry) : room ? roomOf(entry, null) : { text: "" };
  return [kind.replace(/[._]/g, " "), subject, because(detailOf(entry))];
}
