// What the tabs of one browser tell each other. A tab may be of another release than this one, older or newer, so nothing
// that is heard is taken for granted, and no field that an older release relies on may go.

import { isEvent, type ServerEvent } from "./events";
import type { ConnectionStatus } from "./stream";

export type Note =
  /** A new leader speaks: every follower tells it what it looks at. */
  | { kind: "who"; from?: string }
  | { kind: "want"; tab: string; rooms: readonly string[] }
  /** A follower asks whether the leader is alive; the answer tells how its stream fares. */
  | { kind: "ping" }
  | { kind: "pong"; from: string; status: ConnectionStatus }
  /** The reader came back to a follower: the leader looks after its stream. */
  | { kind: "wake" }
  | { kind: "event"; from?: string; event: ServerEvent }
  | { kind: "status"; from?: string; status: ConnectionStatus }
  | { kind: "welcome"; from?: string; tab: string; status: ConnectionStatus; events: ServerEvent[] };

/** Of a newer release: an event whose kind or shape this one does not know. */
export type Unreadable = { kind: "unreadable" };

const STATUSES: readonly unknown[] = ["connecting", "live", "reconnecting", "offline"];

/** The note as it goes out. Older releases do not know "held-back", and break over words that they do not know. */
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
        ? { kind: "want", tab: note.tab, rooms: note.rooms }
        : null;
    case "pong":
      return status && from.from ? { kind: "pong", from: from.from, status } : null;
    case "status":
      return status && { kind: "status", ...from, status };
    case "event":
      return isEvent(note.event) ? { kind: "event", ...from, event: note.event } : { kind: "unreadable" };
    case "welcome":
      return status && typeof note.tab === "string" && Array.isArray(note.events)
        ? { kind: "welcome", ...from, tab: note.tab, status, events: note.events.filter(isEvent) }
        : null;
    default:
      return null;
  }
}

function statusOf({ status, isHeldBack }: Record<string, unknown>): ConnectionStatus | null {
  if (isHeldBack === true) return "held-back";
  return STATUSES.includes(status) ? (status as ConnectionStatus) : null;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
