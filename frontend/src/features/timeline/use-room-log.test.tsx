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

beforeEach(() => {
  [held, isHolding] = [[], false];
  connectClient(session);
  server.use(
    http.get("*/messages", async ({ request }) => {
      const { searchParams } = new URL(request.url);
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
