import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { listInbox, markInboxRead } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { troubleOf, untilAnswered } from "../../api/until-answered";
import { type Item, withInbox, withInboxRead, withMoreInbox } from "../../realtime/inbox";
import { chat, useChat } from "../../realtime/store";
import { useOlder } from "../../ui/use-older";
import { useReadingInterval } from "../connection/connection";
import { useViewer } from "../session/use-session";
import { markRead, useReadMarks } from "../unread/read-marks";

const PAGE = 30;

/** Keeps the newest items up to date. Mounted by the shell and by the page, which share one request. */
export function useInboxSnapshot() {
  const viewerId = useViewer()?.id;
  const coverage = useChat((state) => state.coverage.directs);
  const interval = useReadingInterval();
  const newest = useQuery({
    queryKey: ["inbox", viewerId, coverage],
    queryFn: async () => {
      const page = await answer(listInbox({ query: { limit: PAGE } }));
      chat.update((state) => (state.viewer?.id === viewerId ? withInbox(state, page) : state));
      return page.items.length;
    },
    refetchInterval: interval,
    ...untilAnswered,
    // Before the stream covers the inbox, whatever is loaded would have to be loaded again.
    enabled: viewerId !== undefined && coverage > 0,
  });
  return { error: troubleOf(newest), retry: () => void newest.refetch() };
}

export function useOlderItems() {
  const next = useChat((state) => state.inbox.next);
  return useOlder(next !== null, async () => {
    if (next === null) return;
    const page = await answer(listInbox({ query: { limit: PAGE, cursor: next } }));
    chat.update((state) => withMoreInbox(state, page, next));
  });
}

/** The loaded items that are unread on this device and by what the server knows of the others. */
export function useUnreadItems(): ReadonlySet<Item> {
  const viewerId = useViewer()?.id;
  const { items, readTo } = useChat((state) => state.inbox);
  const rooms = useChat((state) => state.rooms);
  const marks = useReadMarks(viewerId);
  return useMemo(() => {
    const isRead = (item: Item) => {
      if (item.read || item.pos <= readTo) return true;
      if (item.kind === "direct") return (marks[`direct:${item.message.sender.id}`] ?? 0) >= item.pos;
      return (rooms?.[item.room.id]?.membership?.read_seq ?? 0) >= item.message.seq;
    };
    return new Set(items.filter((item) => !isRead(item)));
  }, [items, readTo, rooms, marks]);
}

/** Marks everything in the inbox as read, on all devices of the viewer. */
export async function markAllItemsRead(): Promise<void> {
  const { inbox, viewer } = chat.state;
  const pos = inbox.items[0]?.pos;
  if (pos === undefined) return;
  await answer(markInboxRead({ body: { pos } }));
  const directs = inbox.items.flatMap((item) =>
    item.kind === "direct" ? [[`direct:${item.message.sender.id}`, item.pos] as const] : [],
  );
  // The newest of each sender comes first, and would be overwritten by older ones.
  markRead(viewer?.id, Object.fromEntries(directs.reverse()));
  chat.update((state) => withInboxRead(state, pos));
}
