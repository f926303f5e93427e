import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { connectClient } from "../../api/client";
import type { Invitation, Registration } from "../../api/gen/types.gen";
import { MemoryRouter } from "../../testing/MemoryRouter";
import { server, usesServer } from "../../testing/server";
import { session } from "../session/session";
import { AdminInvitationsPage } from "./AdminInvitationsPage";

vi.mock("../session/use-session", () => ({ useViewer: () => ({ role: "admin" }) }));

usesServer();

let invitations: Invitation[];
let registration: Registration;

beforeEach(() => {
  invitations = [];
  registration = "invite";
  connectClient(session);
  server.use(
    http.get("*/server", () => HttpResponse.json({ registration })),
    http.get("*/invitations", () => HttpResponse.json({ invitations })),
  );
  // jsdom has dialogs that cannot be opened.
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = () => {};
});

function invitation(change: Partial<Invitation>): Invitation {
  return {
    id: crypto.randomUUID(),
    created_by: { id: "user-ada", username: "ada" },
    created_at: "2026-11-22T12:00:00Z",
    expires_at: "2126-11-29T12:00:00Z",
    max_uses: 2,
    uses: 1,
    revoked_at: null,
    is_valid: false,
    ...change,
  };
}

function show() {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <MemoryRouter>
        <AdminInvitationsPage />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

test("each invitation says how many uses are left, or why it is invalid", async () => {
  invitations = [
    invitation({ is_valid: true }),
    invitation({ revoked_at: "2026-11-23T12:00:00Z" }),
    invitation({ uses: 2 }),
    invitation({ expires_at: "2026-01-01T00:00:00Z", created_by: null }),
    invitation({}),
  ];
  show();
  const rows = await screen.findAllByRole("listitem");
  const told = ["1 of 2 used, expires", "revoked", "All 2 used", "expired", "not an admin anymore"];
  for (const [at, words] of told.entries()) expect(rows[at]).toHaveTextContent(words);
  expect(rows[3]).toHaveTextContent("by the operator");
  expect(screen.getAllByRole("button", { name: "Revoke" })).toHaveLength(1);
});

test("a new invitation shows its link once", async () => {
  let asked: unknown;
  server.use(
    http.post("*/invitations", async ({ request }) => {
      asked = await request.json();
      invitations = [invitation({ is_valid: true, uses: 0, max_uses: 5 })];
      return HttpResponse.json({ code: "k7mq2x", invitation: invitations[0] }, { status: 201 });
    }),
  );
  show();
  await userEvent.click(await screen.findByRole("button", { name: "New invitation" }));
  const people = screen.getByLabelText("Number of people");
  await userEvent.clear(people);
  await userEvent.type(people, "5");
  await userEvent.selectOptions(screen.getByLabelText("Expires after"), "1 day");
  await userEvent.click(screen.getByRole("button", { name: "Create invitation" }));
  expect(await screen.findByLabelText("Link")).toHaveValue(`${location.origin}/sign-up?invitation=k7mq2x`);
  expect(asked).toEqual({ max_uses: 5, expires_in_secs: 86_400 });

  await userEvent.click(screen.getByRole("button", { name: "Done" }));
  expect(await screen.findByText(/0 of 5 used/)).toBeVisible();
  expect(screen.queryByText(/k7mq2x/)).toBeNull();
});

test("revoking asks for confirmation, then the invitation is invalid", async () => {
  const only = invitation({ is_valid: true });
  invitations = [only];
  server.use(
    http.delete(`*/invitations/${only.id}`, () => {
      invitations = [{ ...only, is_valid: false, revoked_at: "2026-11-23T12:00:00Z" }];
      return new HttpResponse(null, { status: 204 });
    }),
  );
  show();
  await userEvent.click(await screen.findByRole("button", { name: "Revoke" }));
  await userEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Revoke" }));
  expect(await screen.findByText(/revoked/)).toBeVisible();
});

test.each<[Registration, RegExp]>([
  ["open", /Anyone can sign up/],
  ["closed", /Invitations do not work/],
])("when sign-up is %s, the page says what invitations are for", async (mode, words) => {
  registration = mode;
  show();
  expect(await screen.findByText(words)).toBeVisible();
});
