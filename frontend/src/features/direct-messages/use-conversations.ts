import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useRef, useState } from "react";
import { listConversations, listDirectMessages } from "../../api/gen/sdk.gen";
import type { Author } from "../../api/gen/types.gen";
import { answer } from "../../api/problem";
import { troubleOf, untilAnswered } from "../../api/until-answered";
import { withConversations, withDirects } from "../../realtime/snapshots";
import type { Conversation } from "../../realtime/state";
import { chat, useChat } from "../../realtime/store";
import { useOlder } from "../../ui/use-older";
import { useReadingInterval } from "../connection/connection";
import { useViewer } from "../session/use-session";
import { useReadMarks } from "../unread/read-marks";

const PAGE = 50;
/** Conversations per page of their list. */
const LIST_PAGE = 500;

/** Keeps the list of conversations up to date. Mounted once, by the shell. */
export function useConversationsSnapshot(): void {
  const viewerId = useViewer()?.id;
  const coverage = useChat((state) => state.coverage.directs);
  const interval = useReadingInterval();
  useQuery({
    queryKey: ["conversations", viewerId, coverage],
    queryFn: () => readList(viewerId),
    refetchInterval: interval,
    ...untilAnswered,
    enabled: viewerId !== undefined,
  });
}

async function readList(viewerId: string | undefined, before?: number): Promise<number> {
  const query = { limit: LIST_PAGE, ...(before === undefined ? {} : { before }) };
  const { conversations } = await answer(listConversations({ query }));
  const from = conversations.length < LIST_PAGE ? 0 : (conversations.at(-1)?.last_message.pos ?? 0);
  chat.update((state) =>
    state.viewer?.id === viewerId ? withConversations(state, conversations, from) : state,
  );
  return conversations.length;
}

/** The part of the list of conversations that is loaded on demand. */
export function useOlderConversations() {
  const viewerId = useViewer()?.id;
  const from = useChat((state) => state.conversationsFrom);
  return useOlder(from !== null && from > 0, async () => {
    if (from !== null) await readList(viewerId, from);
  });
}

/** Conversations, most recent first; null until the list is loaded. */
export function useConversations(): Conversation[] | null {
  const conversations = useChat((state) => state.conversations);
  const isLoaded = useChat((state) => state.conversationsFrom !== null);
  return useMemo(() => {
    if (!isLoaded) return null;
    const begun = Object.values(conversations).filter(({ messages }) => messages.length > 0);
    return begun.sort((a, b) => newestPos(b) - newestPos(a));
  }, [conversations, isLoaded]);
}

const newestPos = ({ messages }: Conversation) => messages.at(-1)?.pos ?? 0;

/** People whose last message is unread in this browser. */
export function useUnreadPeers(): ReadonlySet<string> {
  const viewerId = useViewer()?.id;
  const marks = useReadMarks(viewerId);
  const conversations = useConversations();
  return useMemo(() => {
    const unread = (conversations ?? []).filter(({ user, messages }) => {
      const last = messages.at(-1);
      return last && last.sender.id !== viewerId && last.pos > (marks[`direct:${user.id}`] ?? 0);
    });
    return new Set(unread.map(({ user }) => user.id));
  }, [conversations, marks, viewerId]);
}

/** One conversation, loaded by page and kept up to date by the stream. */
export function useConversation(peer: Author) {
  const conversation = useChat((state) => state.conversations[peer.id]);
  const coverage = useChat((state) => state.coverage.directs);

  const read = useCallback(
    async (before?: number) => {
      const query = { with: peer.id, limit: PAGE, ...(before === undefined ? {} : { before }) };
      const { messages } = await answer(listDirectMessages({ query }));
      const page = { messages, isComplete: messages.length < PAGE, isOlder: before !== undefined };
      chat.update((state) => withDirects(state, state.conversations[peer.id]?.user ?? peer, page));
      return messages.length;
    },
    [peer],
  );
  const interval = useReadingInterval();
  const newest = useQuery({
    queryKey: ["directs", peer.id, coverage],
    queryFn: () => read(),
    refetchInterval: interval,
    ...untilAnswered,
  });

  const first = conversation?.messages[0]?.pos;
  const hasOlder = conversation?.isLoaded === true && !conversation.isComplete;
  const [isLoadingOlder, setLoadingOlder] = useState(false);
  const isBusy = useRef(false);
  const loadOlder = useCallback(() => {
    if (!hasOlder || first === undefined || isBusy.current) return;
    isBusy.current = true;
    setLoadingOlder(true);
    read(first)
      .catch(() => {}) // Scrolling up again retries.
      .finally(() => {
        isBusy.current = false;
        setLoadingOlder(false);
      });
  }, [hasOlder, first, read]);

  return {
    conversation,
    isLoaded: conversation?.isLoaded ?? false,
    error: troubleOf(newest),
    retry: () => void newest.refetch(),
    hasOlder,
    isLoadingOlder,
    loadOlder,
  };
}
