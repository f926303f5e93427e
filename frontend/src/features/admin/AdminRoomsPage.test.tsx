import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import { withViewer } from "../../realtime/snapshots";
import { chat } from "../../realtime/store";
import { MemoryRouter } from "../../testing/MemoryRouter";
import { server, usesServer } from "../../testing/server";
import { ALI, aRoom } from "../../testing/wire";
import { Toasts } from "../../ui/Toast";
import { session } from "../session/session";
import { AdminRoomsPage } from "./AdminRoomsPage";
import { NEW_ROOM } from "./new-room";

usesServer();

const GARDEN = aRoom({ name: "Garden", head_seq: 10_200 });
const ATTIC = aRoom({ id: "room-2", name: "Attic", is_archived: true });
let asked: unknown[];

beforeEach(() => {
  connectClient(session);
  asked = [];
  chat.update((state) => ({
    ...withViewer(state, { ...ALI, role: "admin" }),
    rooms: { [GARDEN.id]: GARDEN },
  }));
  server.use(
    http.get("*/rooms", () => HttpResponse.json({ rooms: [ATTIC], cursor: "e.1", next: null })),
    http.patch("*/rooms/:id", async ({ request }) => {
      const body = (await request.json()) as { name: string };
      asked.push(body);
      return HttpResponse.json({ ...GARDEN, ...body });
    }),
    http.post("*/rooms/:id/:task", ({ params }) => {
      asked.push(`${params.task} ${params.id}`);
      return HttpResponse.json(GARDEN);
    }),
  );
});

function open(at = "/admin/rooms", state: unknown = null) {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MemoryRouter at={at} state={state}>
        <AdminRoomsPage />
        <Toasts />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

async function act(name: string) {
  await userEvent.click(await screen.findByRole("button", { name: "Actions for Garden" }));
  await userEvent.click(screen.getByRole("menuitem", { name }));
}

test("archiving is reported by a toast, and can be undone there", async () => {
  open();
  expect(screen.getByText("10,200 messages")).toBeVisible();
  await act("Archive…");
  await userEvent.click(screen.getByRole("button", { name: "Archive room" }));
  expect(await screen.findByText("“Garden” was archived")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Undo" }));
  expect(await screen.findByText("Undone")).toBeVisible();
  expect(asked).toEqual(["archive room-1", "restore room-1"]);
});

test("renaming is reported by a toast, and can be undone there", async () => {
  open();
  await act("Rename…");
  await userEvent.clear(screen.getByLabelText("Name"));
  await userEvent.type(screen.getByLabelText("Name"), "Orchard{Enter}");
  expect(await screen.findByText("“Garden” is now “Orchard”")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Undo" }));
  expect(await screen.findByText("Undone")).toBeVisible();
  expect(asked).toEqual([{ name: "Orchard" }, { name: "Garden" }]);
});

test("an undo that fails says so", async () => {
  open();
  await act("Archive…");
  await userEvent.click(screen.getByRole("button", { name: "Archive room" }));
  const problem = {
    title: "Conflict",
    status: 409,
    code: "name_taken",
    detail: "Another active room has this name.",
  };
  server.use(http.post("*/rooms/:id/restore", () => HttpResponse.json(problem, { status: 409 })));
  await userEvent.click(await screen.findByRole("button", { name: "Undo" }));
  expect(await screen.findByText("Could not undo this")).toBeVisible();
  expect(screen.getByText("Another active room has this name.")).toBeVisible();
});

test("archived rooms have a list of their own", async () => {
  open();
  expect(screen.queryByText("Attic")).toBeNull();
  await userEvent.click(await screen.findByRole("link", { name: "Archived (1)" }));
  await userEvent.click(await screen.findByRole("button", { name: "Restore Attic" }));
  expect(await screen.findByText("“Attic” was restored")).toBeVisible();
  expect(screen.queryByText("Garden")).toBeNull();
  expect(asked).toEqual(["restore room-2"]);
});

test("a link may open the dialog for a new room", async () => {
  open("/admin/rooms", NEW_ROOM);
  expect(await screen.findByRole("dialog", { name: "New room" })).toBeVisible();
});
