import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import type { ReactNode } from "react";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import { chat } from "../../realtime/store";
import { server, usesServer } from "../../testing/server";
import { aMessage, hello } from "../../testing/wire";
import { session } from "../session/session";
import { useRoomLog } from "./use-room-log";

usesServer();

/** Requests for newest messages that have no response yet. */
let held: (() => void)[];
let isHolding: boolean;
let asked: Record<string, string>[];

beforeEach(() => {
  [held, isHolding, asked] = [[], false, []];
  connectClient(session);
  server.use(
    http.get("*/messages", async ({ request }) => {
      const { searchParams } = new URL(request.url);
      asked.push(Object.fromEntries([...searchParams].filter(([name]) => name !== "room_id")));
      const after = searchParams.get("after");
      if (after !== null) {
        const last = Math.min(150, Number(after) + Number(searchParams.get("limit")));
        const part = Array.from({ length: last - Number(after) }, (_, at) =>
          aMessage(Number(after) + 1 + at),
        );
        return HttpResponse.json({ messages: part, head_seq: 150, cursor: "epoch.1" });
      }
      const before = Number(searchParams.get("before") ?? 151);
      const first = Math.max(1, before - Number(searchParams.get("limit")));
      if (before === 151 && isHolding) await new Promise<void>((resolve) => held.push(resolve));
      const messages = Array.from({ length: before - first }, (_, at) => aMessage(first + at));
      return HttpResponse.json({ messages, head_seq: 150, cursor: "epoch.1" });
    }),
  );
});

test("an older page that arrives while the newest one is loaded again stays", async () => {
  const client = new QueryClient();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  const counts: number[] = [];
  const { result } = renderHook(
    () => {
      const log = useRoomLog("room-1");
      counts.push(log.messages.length);
      return log;
    },
    { wrapper },
  );
  await waitFor(() => expect(result.current.messages).toHaveLength(50));

  // The stream now covers the room, so its newest messages are loaded again.
  isHolding = true;
  act(() => chat.hear(hello(["room-1"])));
  await waitFor(() => expect(held).toHaveLength(1));
  act(() => result.current.loadOlder());
  await waitFor(() => expect(result.current.messages).toHaveLength(100));
  isHolding = false;
  const shown = counts.length;
  held[0]?.();
  await waitFor(() => expect(client.isFetching()).toBe(0));
  act(() => result.current.loadOlder());
  await waitFor(() => expect(result.current.messages).toHaveLength(150));
  expect(counts.slice(shown).every((count) => count >= 100)).toBe(true);
});

test("a room opens around a message, pages both ways, and loads the same part again", async () => {
  const client = new QueryClient();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  const seqs = () => [result.current.messages[0]?.seq, result.current.messages.at(-1)?.seq];
  const { result } = renderHook(() => useRoomLog("room-2", 40), { wrapper });
  await waitFor(() => expect(seqs()).toEqual([16, 90]));
  expect([result.current.hasOlder, result.current.hasNewer]).toEqual([true, true]);
  act(() => chat.hear(hello(["room-2"])));
  await waitFor(() => expect(asked.at(-1)).toEqual({ after: "15", limit: "75" }));
  await waitFor(() => expect(client.isFetching()).toBe(0));
  expect(seqs()).toEqual([16, 90]);
  act(() => result.current.loadNewer());
  await waitFor(() => expect(seqs()).toEqual([16, 140]));
  // A reader who scrolls fast gets longer pages.
  act(() => result.current.loadNewer());
  await waitFor(() => expect(result.current.hasNewer).toBe(false));
  expect([seqs(), asked.at(-1)]).toEqual([[16, 150], { after: "140", limit: "200" }]);
  expect(await result.current.load(100)).toBe(true);
});

test("messages of an earlier visit are not shown if the room has to be opened elsewhere", async () => {
  const client = new QueryClient();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  const seen: (number | undefined)[] = [];
  const open = (at: number) =>
    renderHook(
      () => {
        const log = useRoomLog("room-3", at);
        if (log.isLoaded) seen.push(log.messages[0]?.seq);
        return log;
      },
      { wrapper },
    );
  const visit = open(110);
  await waitFor(() => expect(seen).toContain(86));
  visit.unmount();
  seen.length = 0;
  open(40);
  await waitFor(() => expect(seen.length).toBeGreaterThan(0));
  expect(new Set(seen)).toEqual(new Set([16]));
});
