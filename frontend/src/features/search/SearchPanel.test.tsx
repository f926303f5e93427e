import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import { chat } from "../../realtime/store";
import { MemoryRouter } from "../../testing/MemoryRouter";
import { server, usesServer } from "../../testing/server";
import { ALI, aMessage, aRoom } from "../../testing/wire";
import { useLocation } from "../../ui/router";
import { session } from "../session/session";
import { useSearchText } from "./address";
import { SearchPanel } from "./SearchPanel";

const ROOM = { id: "room-1", name: "General", slug: "general" };
const found = (seq: number, before: string, match: string) => ({
  message: aMessage(seq),
  room: ROOM,
  highlight: [
    { text: before, match: false },
    { text: match, match: true },
  ],
});

usesServer();

let asked: string[];

beforeEach(() => {
  asked = [];
  localStorage.clear();
  connectClient(session);
  chat.update((state) => ({ ...state, rooms: { "room-1": aRoom() }, logs: {} }));
  server.use(
    http.get("*/search", ({ request }) => {
      const params = new URL(request.url).searchParams;
      const q = params.get("q") ?? "";
      asked.push(params.has("cursor") ? `${q} after ${params.get("cursor")}` : q);
      if (q.includes("absent")) return HttpResponse.json({ results: [], next: null });
      if (q.includes("rare") && !params.has("cursor")) return HttpResponse.json({ results: [], next: "7" });
      if (q.includes("offline")) return HttpResponse.error();
      if (q.includes("has:cheese")) {
        const errors = [{ field: "q", message: "`has:` needs link or code" }];
        return HttpResponse.json(
          { status: 422, code: "invalid", title: "Invalid", detail: "", errors },
          { status: 422 },
        );
      }
      if (params.has("cursor"))
        return HttpResponse.json({ results: [found(3, "older ", "deploy")], next: null });
      const results = [found(12, "we ", "deploy"), found(9, "no ", "deploy")];
      return HttpResponse.json({ results, next: q.includes("rare") ? null : "9" });
    }),
  );
});

function Page() {
  const text = useSearchText();
  const { pathname, search } = useLocation();
  return (
    <>
      <output aria-label="address">{pathname + search}</output>
      {text === null ? null : <SearchPanel text={text} isBeside />}
    </>
  );
}

function open(text = "") {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MemoryRouter at={`/r/room-1?search=${encodeURIComponent(text)}`}>
        <Page />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

const field = () => screen.getByRole("combobox", { name: "Search messages" });
const address = () => screen.getByLabelText("address").textContent;
const options = () => screen.getAllByRole("option").map(({ textContent }) => textContent);

test("results are chosen with the arrows and opened with Enter, and the search can be shared", async () => {
  open();
  expect(options()).toContain("from: a person");
  await userEvent.type(field(), "deploy");
  const list = await screen.findByRole("listbox", { name: "Messages found" });
  expect(within(list).getAllByRole("option")).toHaveLength(2);
  expect(within(list).getAllByText("deploy")[0]?.tagName).toBe("MARK");
  expect(address()).toBe("/r/room-1?search=deploy");
  expect(screen.getByText("2 messages so far")).toBeVisible();
  await userEvent.keyboard("{ArrowDown}{Enter}");
  expect(address()).toBe("/r/general-room-1/9?search=deploy");
  await userEvent.keyboard("{Escape}");
  expect(address()).toBe("/r/general-room-1/9");
  expect(asked).toEqual(["deploy"]);
});

test("the next page follows on request", async () => {
  open("deploy");
  await userEvent.click(await screen.findByRole("button", { name: "Show more" }));
  expect(await screen.findByText("older", { exact: false })).toBeVisible();
  expect(asked).toEqual(["deploy", "deploy after 9"]);
  expect(screen.getByText("3 messages")).toBeVisible();
});

test("a search goes on behind an empty page", async () => {
  open("rare");
  expect(await screen.findByText("older", { exact: false })).toBeVisible();
  expect(asked).toEqual(["rare", "rare after 7"]);
});

test("a search that finds nothing in a room is offered for all rooms", async () => {
  open("in:general absent");
  expect(await screen.findByRole("heading", { name: "Nothing in #General" })).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Search all rooms" }));
  expect(field()).toHaveValue("absent");
  expect(await screen.findByRole("heading", { name: "Nothing found" })).toBeVisible();
  expect(asked).toEqual(["in:general absent", "absent"]);
});

test("without a network, and with a wrong filter, the page says so", async () => {
  open("offline");
  expect(await screen.findByRole("heading", { name: "You are offline" })).toBeVisible();
  await userEvent.clear(field());
  await userEvent.type(field(), "has:cheese");
  expect(await screen.findByText("`has:` needs link or code")).toBeVisible();
  expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
});

test("one letter is not searched for", async () => {
  open("a");
  expect(screen.getByText("Type at least two letters.")).toBeVisible();
  expect(asked).toEqual([]);
});

test("suggestions complete a filter, and opened searches are offered again until they are forgotten", async () => {
  chat.update((state) => ({
    ...state,
    logs: { "room-1": { messages: [aMessage(1)], from: 1, first: 1, to: null, tombstones: {} } } as never,
  }));
  open();
  await userEvent.type(field(), "from:");
  expect(options()).toEqual([`from:${ALI.username} `]);
  await userEvent.keyboard("{Enter}deploy");
  expect(field()).toHaveValue("from:ali deploy");
  await screen.findByRole("listbox", { name: "Messages found" });
  await userEvent.keyboard("{Enter}");
  await userEvent.click(screen.getByRole("button", { name: "Clear the search" }));
  expect(options()[0]).toBe("from:ali deploy recent search");
  await userEvent.click(screen.getByRole("button", { name: "Forget recent searches" }));
  expect(options()[0]).toBe("from: a person");
});
