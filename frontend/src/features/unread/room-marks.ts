// Read marks of rooms: kept by the server for a signed-in user, in this browser for a guest, or if the server is of an
// earlier release and keeps none.

import type { KnownRoom } from "../../api/earlier-release";
import { markRead as putMark } from "../../api/gen/sdk.gen";
import { answer, ProblemError } from "../../api/problem";
import { withMark } from "../../realtime/apply";
import { chat } from "../../realtime/store";
import { forgetNewcomer, isNewcomer } from "../session/session";
import { markRead, readMarks, setMarks } from "./read-marks";

/** Minimum interval between requests for one room. */
const SEND_EVERY_MS = 1_000;
const RETRY_MS = 5_000;

interface Pending {
  seq: number;
  force: boolean;
}

const place = (roomId: string) => `room:${roomId}` as const;

/** Number of unread messages. A room that this browser has never seen counts as read. */
export function unreadOf(room: KnownRoom, marks: Readonly<Record<string, number>>): number {
  if (room.membership) return room.membership.unread;
  return Math.max(0, room.head_seq - (marks[place(room.id)] ?? room.head_seq));
}

/** The last read `seq`, never after the newest message; null if this browser has never seen the room. */
export function readUpTo(room: KnownRoom, userId: string | undefined): number | null {
  const mark = room.membership ? room.membership.read_seq : readMarks(userId)[place(room.id)];
  return mark === undefined ? null : Math.min(mark, room.head_seq);
}

/** Reports that everything up to `seq` was on the screen. */
export function markRoomRead(roomId: string, seq: number): void {
  const { viewer, rooms } = chat.state;
  const room = rooms?.[roomId];
  if (!room?.membership) {
    markRead(viewer?.id, { [place(roomId)]: seq });
    return;
  }
  if (seq <= room.membership.read_seq) return;
  if (isNewcomer(viewer?.id)) markRead(viewer?.id, { [place(roomId)]: seq });
  chat.update((state) => withMark(state, roomId, seq));
  outbox.add(roomId, { seq, force: false });
}

/** Marks everything after `seq` as unread, or restores an earlier mark. The server is told after `delayMs` at the earliest. */
export function setRoomMark(roomId: string, seq: number, delayMs = 0): void {
  const { viewer, rooms } = chat.state;
  if (!rooms?.[roomId]?.membership) {
    setMarks(viewer?.id, { [place(roomId)]: seq });
    return;
  }
  if (isNewcomer(viewer?.id)) setMarks(viewer?.id, { [place(roomId)]: seq });
  chat.update((state) => withMark(state, roomId, seq));
  outbox.add(roomId, { seq, force: true }, delayMs);
}

/** Maximum number of rooms whose marks are taken over, and the time between their requests. */
const MOST_TAKEN_OVER = 50;
const TAKE_OVER_EVERY_MS = 100;

/**
 * To the server, a new member has read everything up to joining. What they had not read as a guest in this browser stays
 * unread: those marks are sent once the rooms of the new member are known.
 */
export function takeOverMarks(): void {
  const { viewer, rooms, coverage } = chat.state;
  if (!viewer || !isNewcomer(viewer.id)) return;
  const ofMember = Object.values(rooms ?? {}).filter(({ membership }) => membership);
  if (ofMember.length === 0) return;
  const marks = readMarks(viewer.id);
  const markIn = ({ id }: KnownRoom) => marks[place(id)] ?? Number.POSITIVE_INFINITY;
  const behind = ofMember.filter((room) => markIn(room) < (room.membership?.read_seq ?? 0));
  for (const [at, room] of behind.slice(0, MOST_TAKEN_OVER).entries()) {
    setRoomMark(room.id, markIn(room), at * TAKE_OVER_EVERY_MS);
  }
  // The list is read again when the stream begins, and may then be older than the marks that were sent.
  if (coverage.lobby > 0) forgetNewcomer();
}

/** Sends marks to the server, at most one a second for each room, and all of them when the page is hidden. */
class MarkOutbox {
  #pending = new Map<string, Pending>();
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #sentAt = new Map<string, number>();

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#flush();
    });
    window.addEventListener("pagehide", () => this.#flush());
  }

  add(roomId: string, { seq, force }: Pending, delayMs = 0): void {
    const waiting = this.#pending.get(roomId);
    // A mark that was moved back stays so until it is sent.
    this.#pending.set(roomId, { seq, force: force || (waiting?.force ?? false) });
    if (this.#timers.has(roomId)) return;
    const wait = Math.max(delayMs, (this.#sentAt.get(roomId) ?? 0) + SEND_EVERY_MS - Date.now());
    this.#sendIn(roomId, wait);
  }

  #sendIn(roomId: string, ms: number): void {
    this.#timers.set(
      roomId,
      setTimeout(() => void this.#send(roomId), ms),
    );
  }

  #flush(): void {
    for (const roomId of [...this.#pending.keys()]) void this.#send(roomId);
  }

  async #send(roomId: string): Promise<void> {
    clearTimeout(this.#timers.get(roomId));
    this.#timers.delete(roomId);
    const mark = this.#pending.get(roomId);
    if (!mark) return;
    this.#pending.delete(roomId);
    this.#sentAt.set(roomId, Date.now());
    const userId = chat.state.viewer?.id;
    try {
      const { seq, force } = mark;
      const body = force ? { seq, force } : { seq };
      // `keepalive`: the request is completed even if the page is closed.
      await answer(putMark({ path: { id: roomId }, body, keepalive: true }));
    } catch (error) {
      const isWorthwhile = error instanceof ProblemError && error.isTemporary;
      if (!isWorthwhile || chat.state.viewer?.id !== userId || this.#pending.has(roomId)) return;
      this.#pending.set(roomId, mark);
      if (!this.#timers.has(roomId)) this.#sendIn(roomId, RETRY_MS);
    }
  }
}

const outbox = new MarkOutbox();
