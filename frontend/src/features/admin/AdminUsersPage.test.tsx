import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import { withViewer } from "../../realtime/snapshots";
import { chat } from "../../realtime/store";
import { MemoryRouter } from "../../testing/MemoryRouter";
import { server, usesServer } from "../../testing/server";
import { ALI, ZOE } from "../../testing/wire";
import { Toasts } from "../../ui/Toast";
import { session } from "../session/session";
import { AdminUsersPage } from "./AdminUsersPage";

usesServer();

const NOTHING_IN_FORCE = { muted_until: null, mute_reason: null, banned_at: null, ban_reason: null };
const admin = { ...ALI, role: "admin" as const };
const details = (user: { id: string; username: string }) => ({ ...user, role: "user", ...NOTHING_IN_FORCE });
let people: { id: string; username: string }[];
let erased: string[];

beforeEach(() => {
  connectClient(session);
  people = [ALI, ZOE];
  erased = [];
  chat.update((state) => withViewer(state, admin));
  server.use(
    http.get("*/users", () => HttpResponse.json({ users: people.map(details), next: null })),
    http.delete("*/users/:id", ({ params }) => {
      erased.push(String(params.id));
      people = people.filter(({ id }) => id !== params.id);
      return new HttpResponse(null, { status: 204 });
    }),
  );
});

function open() {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MemoryRouter>
        <AdminUsersPage />
        <Toasts />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

/** Opens the page and the dialog for erasing Zoe. */
async function askToErase() {
  open();
  await userEvent.click(await screen.findByRole("button", { name: "Actions for zoe" }));
  await userEvent.click(screen.getByRole("menuitem", { name: "Erase…" }));
  expect(screen.getByRole("dialog", { name: "Permanently erase zoe?" })).toBeVisible();
}

test("an erased user disappears from the list, once their name was typed", async () => {
  await askToErase();
  const field = screen.getByLabelText("Type zoe to confirm");
  expect(field).toHaveFocus();
  await userEvent.type(field, "zo{Enter}");
  expect(screen.getByRole("button", { name: "Erase" })).toBeDisabled();
  expect(erased).toEqual([]);
  await userEvent.type(field, "e");
  await userEvent.click(screen.getByRole("button", { name: "Erase" }));
  await waitFor(() => expect(screen.queryByText("zoe")).toBeNull());
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(erased).toEqual([ZOE.id]);
});

test("cancelling the dialog erases nobody", async () => {
  await askToErase();
  await userEvent.click(screen.getByRole("button", { name: "Cancel" }));
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(screen.getByText("zoe")).toBeVisible();
  expect(erased).toEqual([]);
});

test("a refusal is shown, and the dialog stays open", async () => {
  const problem = {
    title: "Forbidden",
    status: 403,
    code: "not_admin",
    detail: "Only an admin may do that.",
  };
  server.use(http.delete("*/users/:id", () => HttpResponse.json(problem, { status: 403 })));
  await askToErase();
  await userEvent.type(screen.getByLabelText("Type zoe to confirm"), "zoe");
  await userEvent.click(screen.getByRole("button", { name: "Erase" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("Only an admin may do that.");
  expect(screen.getByRole("dialog")).toBeVisible();
});

test("admins cannot erase themselves", async () => {
  await askToErase();
  expect(screen.queryByRole("button", { name: "Actions for ali" })).toBeNull();
});

test("a mute can be undone by the toast that reports it", async () => {
  const asked: string[] = [];
  server.use(
    http.post("*/users/:id/:task", ({ params }) => {
      asked.push(String(params.task));
      return HttpResponse.json({ ...details(ZOE) });
    }),
  );
  open();
  await userEvent.click(await screen.findByRole("button", { name: "Actions for zoe" }));
  await userEvent.click(screen.getByRole("menuitem", { name: "Mute…" }));
  await userEvent.type(screen.getByLabelText("Reason"), "too loud{Enter}");
  expect(await screen.findByText("zoe is muted for 1 hour")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Undo" }));
  expect(await screen.findByText("Undone")).toBeVisible();
  expect(asked).toEqual(["mute", "unmute"]);
});

test("the title says how many people there are", async () => {
  open();
  expect(await screen.findByText("Administration · 2 people")).toBeVisible();
});

test("the list continues on demand until its end", async () => {
  const pages = {
    "": { users: [details(ALI)], next: "b.ali" },
    "b.ali": { users: [], next: "c.bo" },
    "c.bo": { users: [details(ZOE)], next: null },
  };
  server.use(
    http.get("*/users", ({ request }) => {
      const cursor = new URL(request.url).searchParams.get("cursor") ?? "";
      return HttpResponse.json(pages[cursor as keyof typeof pages]);
    }),
  );
  open();
  expect(await screen.findByText("ali")).toBeVisible();
  expect(screen.queryByText("zoe")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Show more people" }));
  await userEvent.click(await screen.findByRole("button", { name: "Show more people", busy: false }));
  expect(await screen.findByText("zoe")).toBeVisible();
  expect(screen.queryByRole("button", { name: "Show more people" })).toBeNull();
});
