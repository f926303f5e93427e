import { useEffect } from "react";
import type { Room } from "../../api/gen/types.gen";
import { useViewer } from "../session/use-session";
import { markRead, readMarks, useReadMarks } from "./read-marks";

/**
 * Unread messages by room. A room seen for the first time counts as read, so that a new user does not see large numbers
 * everywhere.
 */
export function useUnread(rooms: Room[] | null): Readonly<Record<string, number>> {
  const viewerId = useViewer()?.id;
  const marks = useReadMarks(viewerId);

  useEffect(() => {
    const known = readMarks(viewerId);
    const unseen = (rooms ?? []).filter(({ id }) => known[`room:${id}`] === undefined);
    markRead(viewerId, Object.fromEntries(unseen.map(({ id, head_seq }) => [`room:${id}`, head_seq])));
  }, [rooms, viewerId]);

  const counts = (rooms ?? []).map(({ id, head_seq }) => [
    id,
    Math.max(0, head_seq - (marks[`room:${id}`] ?? head_seq)),
  ]);
  return Object.fromEntries(counts);
}
