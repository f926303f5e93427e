import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { listMessages } from "../../api/gen/sdk.gen";
import type { ListMessagesData, ListMessagesResponse } from "../../api/gen/types.gen";
import { answer } from "../../api/problem";
import { troubleOf, untilAnswered } from "../../api/until-answered";
import {
  MOST_MESSAGES,
  withMessagesAround,
  withNewerMessages,
  withNewestMessages,
  withOlderMessages,
  withOpenRoom,
  withoutFarMessages,
  withPolledMessages,
} from "../../realtime/snapshots";
import { shownMessages, type TimelineMessage } from "../../realtime/state";
import { chat, useChat } from "../../realtime/store";
import { connection, useReadingInterval } from "../connection/connection";
import { noteAdmins } from "../people/admins";

const PAGE = 50;
/** The server's limit of one page. */
const LONGEST_PAGE = 200;
/** Messages before and after the one at which a room is opened. */
const BEFORE = 25;
const AFTER = 50;
/** A reader who needs the next page within this time scrolls fast, and gets a longer one. */
const FAST_MS = 2_000;
/** Rows may be removed at one end of the list or added at the other, but not in the same frame. */
const FRAME_MS = 50;

export interface RoomLogView {
  messages: readonly TimelineMessage[];
  isLoaded: boolean;
  error: Error | null;
  retry(): void;
  hasOlder: boolean;
  hasNewer: boolean;
  isLoadingOlder: boolean;
  loadOlder(): void;
  loadNewer(): void;
  /** Loads the newest messages, or those around `seq`, unless they are loaded; resolves to whether they are. */
  load(seq: number | null): Promise<boolean>;
  /** Reports the first message on the screen, around which the room is loaded again when events were missed. */
  setAnchor(seq: number): void;
}

/**
 * The messages of one room: loaded by page, then kept up to date by the stream. `openAt` is the `seq` around which the
 * first page is loaded; null for the newest page.
 */
export function useRoomLog(roomId: string, openAt: number | null = null): RoomLogView {
  const known = useChat((state) => state.logs[roomId]);
  const coverage = useChat((state) => state.coverage.rooms[roomId] ?? 0);
  const anchor = useRef(openAt);

  // Messages from an earlier visit are not shown if the room has to be opened elsewhere: it would begin there.
  const [mustReload] = useState(() => isStale(roomId, openAt));
  const [isOpen, setOpen] = useState(!mustReload);
  useEffect(() => {
    chat.update((state) => withOpenRoom(state, roomId, mustReload));
    setOpen(true);
  }, [roomId, mustReload]);
  const log = isOpen ? known : undefined;
  const messages = useMemo(() => (log ? shownMessages(log) : []), [log]);

  const interval = useReadingInterval();
  // A page loaded before the stream covers the room is shown immediately and loaded again when `coverage` changes.
  const newest = useQuery({
    queryKey: ["messages", roomId, coverage],
    queryFn: async () => {
      for (;;) {
        const isHeldBack = connection.status === "held-back";
        const before = extentOf(roomId);
        const part = partToLoad(before, openAt, anchor.current);
        if (part) {
          // Polling brings the newest messages only.
          if (isHeldBack && before.isLoaded) return 0;
          const page = await readPage({ room_id: roomId, ...part });
          chat.update((state) => withMessagesAround(state, roomId, page));
          return page.head_seq;
        }
        const limit = Math.min(LONGEST_PAGE, isHeldBack ? PAGE : Math.max(PAGE, before.count));
        const page = await readPage({ room_id: roomId, limit });
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
  const to = log?.to ?? null;
  const [isLoadingOlder, setLoadingOlder] = useState(false);
  const isBusy = useRef(false);
  const loadedAt = useRef(0);

  /** Loads one page at a time. Scrolling on retries a failed one; the badge shows the connection. */
  const turn = useCallback(
    async (end: "newest" | "oldest", read: (limit: number) => Promise<void>) => {
      if (isBusy.current) return;
      isBusy.current = true;
      const limit = Date.now() - loadedAt.current < FAST_MS ? LONGEST_PAGE : PAGE;
      if (extentOf(roomId).count + limit > MOST_MESSAGES) {
        chat.update((state) => withoutFarMessages(state, roomId, end));
        await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
      }
      await read(limit).catch(() => {});
      loadedAt.current = Date.now();
      isBusy.current = false;
    },
    [roomId],
  );

  const loadOlder = useCallback(() => {
    if (from === null || from <= first || isBusy.current) return;
    setLoadingOlder(true);
    void turn("newest", async (limit) => {
      const page = await readPage({ room_id: roomId, before: from, limit });
      chat.update((state) => withOlderMessages(state, roomId, page.messages));
    }).finally(() => setLoadingOlder(false));
  }, [roomId, from, first, turn]);

  const loadNewer = useCallback(() => {
    if (to === null) return;
    void turn("oldest", async (limit) => {
      const page = await readPage({ room_id: roomId, after: to, limit });
      chat.update((state) => withNewerMessages(state, roomId, page));
    });
  }, [roomId, to, turn]);

  const load = useCallback(
    async (seq: number | null) => {
      const { isLoaded, isAtEnd, from, to } = extentOf(roomId);
      if (!isLoaded) return false;
      if (seq === null ? isAtEnd : seq >= from && seq <= to) return true;
      try {
        if (seq === null) {
          const page = await readPage({ room_id: roomId, limit: PAGE });
          chat.update((state) => withNewestMessages(state, roomId, page));
        } else {
          const query = { room_id: roomId, ...partAround(seq, BEFORE, BEFORE + AFTER) };
          const page = await readPage(query);
          chat.update((state) => withMessagesAround(state, roomId, page));
        }
        return true;
      } catch {
        return false;
      }
    },
    [roomId],
  );

  // A reader who stays at the end of a busy room must not collect its messages for ever.
  const isCrowded = to === null && messages.length > MOST_MESSAGES;
  const setAnchor = useCallback(
    (seq: number) => {
      anchor.current = seq;
      const isNearEnd = (messages.at(-1)?.seq ?? 0) - seq < PAGE;
      if (isCrowded && isNearEnd) chat.update((state) => withoutFarMessages(state, roomId, "oldest"));
    },
    [roomId, isCrowded, messages],
  );

  return {
    messages,
    isLoaded: from !== null,
    error: troubleOf(newest),
    retry: () => void newest.refetch(),
    hasOlder: from !== null && from > first,
    hasNewer: to !== null,
    isLoadingOlder,
    loadOlder,
    loadNewer,
    load,
    setAnchor,
  };
}

/**
 * Returns which part of a room to load: the one at which it is opened, or again the one that is shown. Null for the
 * newest messages.
 */
function partToLoad(shown: Extent, openAt: number | null, anchor: number | null) {
  if (!shown.isLoaded) return openAt === null ? null : partAround(openAt, BEFORE, BEFORE + AFTER);
  if (shown.count > LONGEST_PAGE)
    return anchor === null ? null : partAround(anchor, LONGEST_PAGE / 2, LONGEST_PAGE);
  return shown.isAtEnd ? null : { after: shown.from - 1, limit: Math.max(PAGE, shown.count) };
}

/** `after` begins a page at a position of our choice: fewer messages before than after it. */
function partAround(seq: number, before: number, limit: number) {
  return { after: Math.max(0, seq - before), limit };
}

/** A room that was left is shown again at once, unless it has to be opened at a message that is not loaded. */
function isStale(roomId: string, openAt: number | null): boolean {
  // Without a network, nothing else could be loaded.
  if (chat.state.kept) return false;
  const { isLoaded, from, to } = extentOf(roomId);
  const head = chat.state.rooms?.[roomId]?.head_seq ?? 0;
  return isLoaded && openAt !== null && (openAt < from || openAt >= to || to < head);
}

interface Extent {
  count: number;
  from: number;
  to: number;
  isLoaded: boolean;
  isAtEnd: boolean;
}

/** The messages of a room that are shown now: their number, and the positions of the oldest and newest one. */
function extentOf(roomId: string): Extent {
  const log = chat.state.logs[roomId];
  const shown = log ? shownMessages(log) : [];
  const from = log?.from ?? Number.POSITIVE_INFINITY;
  return {
    count: shown.length,
    from,
    to: shown.at(-1)?.seq ?? 0,
    isLoaded: from !== Number.POSITIVE_INFINITY,
    isAtEnd: log?.to === null,
  };
}

async function readPage(query: ListMessagesData["query"]): Promise<ListMessagesResponse> {
  const page = await answer(listMessages({ query }));
  noteAdmins(
    page.messages.map(({ author }) => author.id),
    page.admins,
  );
  return page;
}
