import { useEffect, useMemo, useRef } from "react";
import type { KnownRoom } from "../../api/earlier-release";
import { chat, useChat } from "../../realtime/store";
import { useViewer } from "../session/use-session";
import { markRead, readMarks, setMarks, useReadMarks } from "./read-marks";
import { unreadOf } from "./room-marks";

/** Time after which a mark beyond the newest message is no longer explained by news that are still on their way. */
const SETTLED_MS = 3_000;

type Rooms = Readonly<Record<string, KnownRoom>>;

/** Number of unread messages by room, without rooms that have none. */
export type Unread = Readonly<Record<string, number>>;

/** The same object while nothing changes. */
export function useUnread(): Unread {
  const viewerId = useViewer()?.id;
  const marks = useReadMarks(viewerId);
  const rooms = useChat((state) => state.rooms);
  const counts = useMemo(() => {
    const unread: Record<string, number> = {};
    for (const room of Object.values(rooms ?? {})) {
      const count = isSilenced(room) ? 0 : unreadOf(room, marks);
      if (count > 0) unread[room.id] = count;
    }
    return unread;
  }, [rooms, marks]);
  const latest = useRef(counts);
  if (!isSame(latest.current, counts)) latest.current = counts;
  return latest.current;
}

/** Rooms of which the user wants to hear nothing are never shown as unread. */
const isSilenced = ({ membership }: KnownRoom) => membership?.level === "none";

function isSame(a: Unread, b: Unread): boolean {
  const ids = Object.keys(a);
  return ids.length === Object.keys(b).length && ids.every((id) => a[id] === b[id]);
}

/** Keeps the marks of this browser in order. Mounted once, by the shell. */
export function useLocalMarks(): void {
  const viewerId = useViewer()?.id;
  const rooms = useChat((state) => state.rooms);

  // A room seen for the first time counts as read, so that a new reader does not see large numbers everywhere.
  useEffect(() => {
    const known = readMarks(viewerId);
    const unseen = localRooms(rooms).filter(({ id }) => known[`room:${id}`] === undefined);
    if (unseen.length === 0) return;
    markRead(viewerId, Object.fromEntries(unseen.map(({ id, head_seq }) => [`room:${id}`, head_seq])));
  }, [rooms, viewerId]);

  // After a restore from a backup, a mark beyond the newest message would hide the next messages.
  const isBeyond = useMemo(() => beyond(rooms, viewerId).length > 0, [rooms, viewerId]);
  useEffect(() => {
    if (!isBeyond) return;
    const timer = setTimeout(() => {
      const lost = beyond(chat.state.rooms, viewerId);
      setMarks(viewerId, Object.fromEntries(lost.map(({ id, head_seq }) => [`room:${id}`, head_seq])));
    }, SETTLED_MS);
    return () => clearTimeout(timer);
  }, [isBeyond, viewerId]);
}

const localRooms = (rooms: Rooms | null) => Object.values(rooms ?? {}).filter((room) => !room.membership);

function beyond(rooms: Rooms | null, viewerId: string | undefined): KnownRoom[] {
  const marks = readMarks(viewerId);
  return localRooms(rooms).filter(({ id, head_seq }) => (marks[`room:${id}`] ?? 0) > head_seq);
}
