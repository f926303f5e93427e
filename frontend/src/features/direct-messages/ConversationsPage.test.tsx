import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { connectClient } from "../../api/client";
import { withConversations, withViewer } from "../../realtime/snapshots";
import { chat } from "../../realtime/store";
import { MemoryRouter } from "../../testing/MemoryRouter";
import { server, usesServer } from "../../testing/server";
import { ALI, aDirect, ZOE } from "../../testing/wire";
import { session } from "../session/session";
import { ConversationsPage } from "./ConversationsPage";

usesServer();

const BO = { id: "user-bo", username: "bo" };
const conversationWith = (user: typeof BO, pos: number) => ({
  user: { ...user, role: "user" as const },
  last_message: aDirect(pos, { sender: ALI, recipient: user }),
});

test("older conversations are listed on demand", async () => {
  connectClient(session);
  chat.update((state) => withViewer(state, { ...ALI, role: "admin" }));
  chat.update((state) => withConversations(state, [conversationWith(ZOE, 9)], 9));
  const asked: (string | null)[] = [];
  server.use(
    http.get("*/direct-messages/conversations", ({ request }) => {
      asked.push(new URL(request.url).searchParams.get("before"));
      return HttpResponse.json({ conversations: [conversationWith(BO, 4)] });
    }),
  );
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MemoryRouter>
        <ConversationsPage />
      </MemoryRouter>
    </QueryClientProvider>,
  );
  expect(screen.getByText("zoe")).toBeVisible();
  expect(screen.queryByText("bo")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Show older conversations" }));
  expect(await screen.findByText("bo")).toBeVisible();
  expect(screen.queryByRole("button", { name: "Show older conversations" })).toBeNull();
  expect(asked).toEqual(["9"]);
});
