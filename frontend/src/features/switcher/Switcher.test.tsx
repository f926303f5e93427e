import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import type { Role } from "../../api/gen/types.gen";
import { withViewer } from "../../realtime/snapshots";
import { chat } from "../../realtime/store";
import { MemoryRouter } from "../../testing/MemoryRouter";
import { server, usesServer } from "../../testing/server";
import { ALI, aRoom, ZOE } from "../../testing/wire";
import { useLocation } from "../../ui/router";
import { session } from "../session/session";
import { openPanel } from "./panel";
import { Shortcuts } from "./Shortcuts";

usesServer();

const NAMES = ["Attic", "Garden", "Kitchen"];
let asked: string[];

beforeEach(() => {
  connectClient(session);
  asked = [];
  openPanel.set(null);
  server.use(
    http.get("*/users", ({ request }) => {
      asked.push(new URL(request.url).searchParams.get("query") ?? "");
      return HttpResponse.json({ users: [{ ...ZOE, role: "user" }], next: null });
    }),
  );
});

function open(role: Role | null, at = "/r/room-1") {
  const rooms = NAMES.map((name, index) => aRoom({ id: `room-${index + 1}`, name }));
  chat.update((state) => ({
    ...withViewer(state, role && { ...ALI, role }),
    rooms: Object.fromEntries(rooms.map((room) => [room.id, room])),
  }));
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MemoryRouter at={at}>
        <main>
          <input aria-label="Message Attic" data-composer />
          <button type="button">Somewhere else</button>
        </main>
        <Path />
        <Shortcuts />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

function Path() {
  const { pathname, state } = useLocation();
  return <output>{`${pathname} ${JSON.stringify(state)}`}</output>;
}

const path = () => screen.getByRole("status", { name: "" });
const field = () => screen.findByRole("combobox");
const options = () =>
  within(screen.getByRole("listbox"))
    .getAllByRole("option")
    .map(({ textContent }) => textContent);

test("Ctrl+K opens a list of rooms and commands, and Enter opens the marked one", async () => {
  open(null);
  await userEvent.keyboard("{Control>}k{/Control}");
  await field();
  expect(options()).toEqual(expect.arrayContaining(["Garden", "Kitchen", "Dark theme", "Sign in"]));
  // The open room is not offered, nor what a guest cannot do.
  expect(options()).not.toContain("Attic");
  expect(options()).not.toContain("Sign out");
  await userEvent.type(await field(), "gard");
  expect(options()).toEqual(["Garden"]);
  expect(screen.getByRole("option", { name: "Garden" })).toHaveAttribute("aria-selected", "true");
  await userEvent.keyboard("{Enter}");
  expect(path()).toHaveTextContent("/r/room-2");
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("the arrow keys move the mark in a circle, and the field names the marked option", async () => {
  open(null);
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await field(), "theme");
  const [first, last] = options();
  await userEvent.keyboard("{ArrowUp}");
  const marked = () =>
    document.getElementById(screen.getByRole("combobox").getAttribute("aria-activedescendant") ?? "");
  expect(marked()).toHaveTextContent(last ?? "");
  await userEvent.keyboard("{ArrowDown}");
  expect(marked()).toHaveTextContent(first ?? "");
  await userEvent.type(await field(), "xxx");
  expect(screen.getByText("Nothing found.")).toBeVisible();
});

test("admins find people who never wrote, and make rooms; others do not", async () => {
  open("admin");
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await field(), "zo");
  await waitFor(() => expect(options()).toContain("zoe"));
  await userEvent.keyboard("{Enter}");
  expect(path()).toHaveTextContent(`/dm/${ZOE.id} {"username":"zoe"}`);
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await field(), "new room{Enter}");
  expect(path()).toHaveTextContent('/admin/rooms {"task":"create"}');
});

test("members do not search the server for people", async () => {
  open("user");
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await field(), "new");
  expect(screen.getByText("Nothing found.")).toBeVisible();
  expect(asked).toEqual([]);
});

test("Alt with an arrow opens the room before or after, and with Shift an unread one", async () => {
  localStorage.setItem(
    `gapless.read.${ALI.id}`,
    JSON.stringify({ "room:room-1": 0, "room:room-2": 0, "room:room-3": 0 }),
  );
  open("user");
  await userEvent.keyboard("{Alt>}{ArrowDown}{/Alt}");
  expect(path()).toHaveTextContent("/r/room-2");
  await userEvent.keyboard("{Alt>}{ArrowUp}{ArrowUp}{/Alt}");
  expect(path()).toHaveTextContent("/r/room-3");
  chat.update((state) => ({
    ...state,
    rooms: { ...state.rooms, "room-2": aRoom({ id: "room-2", name: "Garden", head_seq: 3 }) },
  }));
  await userEvent.keyboard("{Alt>}{Shift>}{ArrowDown}{/Shift}{/Alt}");
  await waitFor(() => expect(path()).toHaveTextContent("/r/room-2"));
});

test("? and Ctrl+/ list the keys, but ? in a field is a question mark", async () => {
  open(null);
  await userEvent.type(screen.getByLabelText("Message Attic"), "?");
  expect(screen.getByLabelText("Message Attic")).toHaveValue("?");
  expect(screen.queryByRole("dialog")).toBeNull();
  await userEvent.keyboard("{Control>}/{/Control}");
  expect(await screen.findByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Close" }));
  screen.getByRole("button").focus();
  await userEvent.keyboard("?");
  expect(await screen.findByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
});

test("letters typed anywhere else go to the composer; spaces, commands and dialogs keep theirs", async () => {
  open(null);
  const composer = screen.getByLabelText("Message Attic");
  const button = screen.getByRole("button", { name: "Somewhere else" });
  button.focus();
  await userEvent.keyboard(" ");
  await userEvent.keyboard("{Control>}c{/Control}");
  expect(button).toHaveFocus();
  await userEvent.keyboard("hi");
  expect(composer).toHaveFocus();
  expect(composer).toHaveValue("hi");
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await field(), "abc");
  expect(composer).toHaveValue("hi");
});
