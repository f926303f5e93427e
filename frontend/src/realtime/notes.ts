// Messages between the tabs of one browser. A tab may run another release, older or newer, so received messages are
// validated, and fields that older releases rely on must be kept.

import { isEvent, isKnownKind, type ServerEvent } from "./server-event";
import type { ConnectionStatus } from "./stream";

export type Note =
  /** Sent by a new leader: every follower replies with its open rooms. */
  | { kind: "who"; from?: string }
  | { kind: "want"; tab: string; rooms: readonly string[]; follow?: readonly string[] }
  /** Sent by a follower to check that the leader is alive; the reply contains the state of its stream. */
  | { kind: "ping" }
  | { kind: "pong"; from: string; status: ConnectionStatus }
  /** Sent by a follower when the reader returns to it: the leader checks its stream. */
  | { kind: "wake" }
  | { kind: "event"; from?: string; event: ServerEvent }
  | { kind: "status"; from?: string; status: ConnectionStatus }
  | { kind: "welcome"; from?: string; tab: string; status: ConnectionStatus; events: ServerEvent[] };

/**
 * An event of a newer release, whose kind or shape this one does not know. An unknown kind changes nothing here, so the
 * stream may resume after it; of a known kind, `id` is null, since something was missed.
 */
export type Unreadable = { kind: "unreadable"; from?: string; id: string | null };

const STATUSES: readonly unknown[] = ["connecting", "live", "reconnecting", "offline"];

/** Encodes a note. Older releases do not know "held-back", and fail on unknown statuses. */
export function toWire(note: Note): unknown {
  if (!("status" in note) || note.status !== "held-back") return note;
  return { ...note, status: "reconnecting", isHeldBack: true };
}

export function fromWire(data: unknown): Note | Unreadable | null {
  if (typeof data !== "object" || data === null) return null;
  const note = data as Record<string, unknown>;
  const from = typeof note.from === "string" ? { from: note.from } : {};
  const status = statusOf(note);
  switch (note.kind) {
    case "who":
      return { kind: "who", ...from };
    case "ping":
    case "wake":
      return { kind: note.kind };
    case "want":
      return typeof note.tab === "string" && isStrings(note.rooms)
        ? {
            kind: "want",
            tab: note.tab,
            rooms: note.rooms,
            ...(isStrings(note.follow) && { follow: note.follow }),
          }
        : null;
    case "pong":
      return status && from.from ? { kind: "pong", from: from.from, status } : null;
    case "status":
      return status && { kind: "status", ...from, status };
    case "event":
      return isEvent(note.event)
        ? { kind: "event", ...from, event: note.event }
        : { kind: "unreadable", ...from, id: idOfUnknownKind(note.event) };
    case "welcome":
      return status && typeof note.tab === "string" && Array.isArray(note.events)
        ? { kind: "welcome", ...from, tab: note.tab, status, events: note.events.filter(isEvent) }
        : null;
    default:
      return null;
  }
}

function idOfUnknownKind(event: unknown): string | null {
  if (typeof event !== "object" || event === null) return null;
  const { kind, id } = event as Record<string, unknown>;
  return !isKnownKind(kind) && typeof id === "string" ? id : null;
}

function statusOf({ status, isHeldBack }: Record<string, unknown>): ConnectionStatus | null {
  if (isHeldBack === true) return "held-back";
  return STATUSES.includes(status) ? (status as ConnectionStatus) : null;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
