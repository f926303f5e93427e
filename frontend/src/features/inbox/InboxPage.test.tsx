import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import type { InboxItem } from "../../api/gen/types.gen";
import { withInboxItem } from "../../realtime/inbox";
import { withViewer } from "../../realtime/snapshots";
import { EMPTY_STATE } from "../../realtime/state";
import { chat } from "../../realtime/store";
import { MemoryRouter } from "../../testing/MemoryRouter";
import { server, usesServer } from "../../testing/server";
import { ALI, aDirect, aMessage, ZOE } from "../../testing/wire";
import { session } from "../session/session";
import { InboxLink } from "./InboxLink";
import { InboxPage } from "./InboxPage";

usesServer();

const ID = "0190d6a0-0000-7000-8000-000000000001";
const ROOM = { id: "room-1", name: "General", slug: "general" };
const at = "2026-11-29T12:00:00Z";
const mention = (seq: number, body: string, read = false) =>
  ({
    kind: "mention",
    pos: 100 + seq,
    message: { ...aMessage(seq, { author: ZOE, body }), mentions: [{ id: ID, username: "ali" }] },
    room: ROOM,
    at,
    read,
  }) as InboxItem;

let marked: unknown[];
let isDown: boolean;

beforeEach(() => {
  marked = [];
  isDown = false;
  connectClient(session);
  const items: InboxItem[] = [
    { kind: "direct", pos: 250, message: aDirect(250, { body: "between us" }), at, read: false },
    { ...mention(9, "see above"), kind: "reply" } as InboxItem,
    mention(5, `hello @[user:${ID}], look`),
    mention(3, "long ago", true),
  ];
  server.use(
    http.get("*/inbox", () =>
      isDown
        ? HttpResponse.json({ status: 404, code: "not_found" }, { status: 404 })
        : HttpResponse.json({ items, next: null }),
    ),
    http.put("*/inbox/read", async ({ request }) => {
      marked.push(await request.json());
      return new HttpResponse(null, { status: 204 });
    }),
  );
  chat.update(() => {
    const state = withViewer(EMPTY_STATE, { ...ALI, role: "user" });
    return { ...state, coverage: { ...state.coverage, directs: 1 } };
  });
});

function open() {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MemoryRouter at="/me/inbox">
        <InboxLink className="" />
        <main>
          <InboxPage />
        </main>
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

const rows = () => screen.getAllByRole("listitem").map(({ textContent }) => textContent);

test("items say who did what where, and lead there", async () => {
  open();
  const mentioned = await screen.findByRole("link", {
    name: /zoe mentioned you in #General.*hello @ali, look/,
  });
  expect(mentioned).toHaveAttribute("href", "/r/general-room-1/5");
  expect(screen.getByRole("link", { name: /zoe replied to you in #General/ })).toBeVisible();
  expect(screen.getByRole("link", { name: /wrote to you privately.*between us/ })).toHaveAttribute(
    "href",
    "/dm/user-zoe",
  );
  expect(screen.getByRole("link", { name: /^Inbox ?3 ?unread$/ })).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Replies" }));
  expect(rows()).toHaveLength(1);
  await userEvent.click(screen.getByRole("button", { name: "All" }));
  screen.getByRole("link", { name: /hello @ali, look/ }).focus();
  await userEvent.keyboard("{ArrowUp}");
  expect(screen.getByRole("link", { name: /replied to you/ })).toHaveFocus();
});

test("a new item appears by itself; all are marked as read together", async () => {
  open();
  await screen.findByText("between us");
  act(() => chat.update((state) => withInboxItem(state, mention(200, "news"))));
  expect((await screen.findByText("news")).closest("li")).toBe(screen.getAllByRole("listitem")[0]);
  await userEvent.click(screen.getByRole("button", { name: "All read" }));
  expect(await screen.findByRole("link", { name: "Inbox" })).toBeVisible();
  expect(marked).toEqual([{ pos: 300 }]);
  expect(screen.getByRole("button", { name: "All read" })).toBeDisabled();
});

test("a server of an earlier release has no inbox", async () => {
  isDown = true;
  open();
  expect(await screen.findByRole("heading", { name: "Could not load your inbox" })).toBeVisible();
});
