import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { listMessages } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { troubleOf, untilAnswered } from "../../api/until-answered";
import {
  withNewestMessages,
  withOlderMessages,
  withOpenRoom,
  withPolledMessages,
} from "../../realtime/snapshots";
import { shownMessages, type TimelineMessage } from "../../realtime/state";
import { chat, useChat } from "../../realtime/store";
import { connection, useReadingInterval } from "../connection/connection";

const PAGE = 50;
/** The server's limit of one page. */
const LONGEST_PAGE = 200;

export interface RoomLogView {
  messages: readonly TimelineMessage[];
  isLoaded: boolean;
  error: Error | null;
  retry(): void;
  hasOlder: boolean;
  isLoadingOlder: boolean;
  loadOlder(): void;
}

/** The messages of one room: loaded by page, then kept up to date by the stream. */
export function useRoomLog(roomId: string): RoomLogView {
  const log = useChat((state) => state.logs[roomId]);
  const coverage = useChat((state) => state.coverage.rooms[roomId] ?? 0);
  const messages = useMemo(() => (log ? shownMessages(log) : []), [log]);

  useEffect(() => chat.update((state) => withOpenRoom(state, roomId)), [roomId]);

  const interval = useReadingInterval();
  // A page loaded before the stream covers the room is shown immediately and loaded again when `coverage` changes.
  const newest = useQuery({
    queryKey: ["messages", roomId, coverage],
    queryFn: async () => {
      for (;;) {
        const isHeldBack = connection.status === "held-back";
        const before = extentOf(roomId);
        const limit = Math.min(LONGEST_PAGE, isHeldBack ? PAGE : Math.max(PAGE, before.count));
        const page = await answer(listMessages({ query: { room_id: roomId, limit } }));
        const { count, from } = extentOf(roomId);
        // An older page that arrived meanwhile would be dropped, and the reader moved: load that one again as well.
        if (!isHeldBack && limit < LONGEST_PAGE && count > limit && from < before.from) continue;
        const joined = isHeldBack ? withPolledMessages : withNewestMessages;
        chat.update((state) => joined(state, roomId, page));
        return page.head_seq;
      }
    },
    refetchInterval: interval,
    ...untilAnswered,
  });

  const from = log?.from ?? null;
  const first = log?.first ?? 1;
  const [isLoadingOlder, setLoadingOlder] = useState(false);
  const isBusy = useRef(false);
  const loadOlder = useCallback(() => {
    if (from === null || from <= first || isBusy.current) return;
    isBusy.current = true;
    setLoadingOlder(true);
    answer(listMessages({ query: { room_id: roomId, before: from, limit: PAGE } }))
      .then((page) => chat.update((state) => withOlderMessages(state, roomId, page.messages)))
      .catch(() => {}) // Scrolling up again retries; the badge shows the connection.
      .finally(() => {
        isBusy.current = false;
        setLoadingOlder(false);
      });
  }, [roomId, from, first]);

  return {
    messages,
    isLoaded: from !== null,
    error: troubleOf(newest),
    retry: () => void newest.refetch(),
    hasOlder: from !== null && from > first,
    isLoadingOlder,
    loadOlder,
  };
}

/** Number of messages of a room that are shown now, and the position of the oldest one. */
function extentOf(roomId: string): { count: number; from: number } {
  const log = chat.state.logs[roomId];
  return { count: log ? shownMessages(log).length : 0, from: log?.from ?? Number.POSITIVE_INFINITY };
}
