import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import type { Registration } from "../../api/gen/types.gen";
import { MemoryRouter } from "../../testing/MemoryRouter";
import { server, usesServer } from "../../testing/server";
import { Routes } from "../../ui/router";
import { CredentialsPage } from "./CredentialsPage";
import { session } from "./session";

usesServer();

let isDemo: boolean;
let registration: Registration;

beforeEach(() => {
  isDemo = false;
  registration = "open";
  connectClient(session);
  server.use(http.get("*/server", () => HttpResponse.json({ demo: isDemo, registration })));
});

const ROUTES = [
  { path: "/sign-in", page: <CredentialsPage isNew={false} /> },
  { path: "/sign-up", page: <CredentialsPage isNew /> },
  { path: "/r/:roomId", page: <p>back in the room</p> },
];

function show(path: "/sign-in" | "/sign-up", from = "/r/room-1", search = "") {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MemoryRouter at={path + search} state={{ from }}>
        <Routes routes={ROUTES} otherwise={<p>at the beginning</p>} />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

async function submit(button: string) {
  await userEvent.type(screen.getByLabelText("Username"), "ali");
  await userEvent.type(screen.getByLabelText("Password"), "a long password");
  await userEvent.click(screen.getByRole("button", { name: button }));
}

test("a taken name is reported at the field, which gets the focus, and the form keeps its values", async () => {
  const problem = {
    title: "Conflict",
    status: 409,
    code: "username_taken",
    detail: "This username is taken.",
  };
  server.use(http.post("*/auth/register", () => HttpResponse.json(problem, { status: 409 })));
  show("/sign-up");
  await submit("Create account");
  expect(await screen.findByText("This username is taken.")).toBeVisible();
  expect(screen.queryByRole("alert")).toBeNull();
  const field = screen.getByLabelText("Username");
  expect(field).toBeInvalid();
  expect(field).toHaveFocus();
  expect(field).toHaveValue("ali");
  await userEvent.type(field, "2");
  expect(field).toBeValid();
});

test("a new name is checked while it is typed, with the sentence that explained it before", async () => {
  const rule = "3 to 32 characters: a–z, 0–9, dot, dash, underscore";
  show("/sign-up");
  const field = screen.getByLabelText("Username");
  expect(screen.getByText(rule)).not.toHaveClass("text-danger");
  await userEvent.type(field, "al");
  expect(field).toBeValid();
  await userEvent.type(field, " i");
  expect(field).toBeInvalid();
  expect(screen.getByText(rule)).toHaveClass("text-danger");
  await userEvent.clear(field);
  await userEvent.type(field, "al");
  expect(field).toBeValid();
  await userEvent.tab();
  expect(field).toBeInvalid();
});

test("an incomplete form is not sent; its first fault gets the focus", async () => {
  let sent = 0;
  server.use(
    http.post("*/auth/register", () => {
      sent += 1;
      return new HttpResponse(null, { status: 500 });
    }),
  );
  show("/sign-up");
  await userEvent.click(screen.getByRole("button", { name: "Create account" }));
  expect(screen.getByLabelText("Username")).toHaveFocus();
  await userEvent.type(screen.getByLabelText("Username"), "ali");
  await userEvent.type(screen.getByLabelText("Password"), "short");
  await userEvent.click(screen.getByRole("button", { name: "Create account" }));
  expect(screen.getByLabelText("Password")).toHaveFocus();
  expect(screen.getByLabelText("Password")).toBeInvalid();
  expect(sent).toBe(0);
});

test("the password can be shown", async () => {
  show("/sign-in");
  const field = screen.getByLabelText("Password");
  expect(field).toHaveAttribute("type", "password");
  await userEvent.click(screen.getByRole("button", { name: "Show password" }));
  expect(field).toHaveAttribute("type", "text");
});

test("an error without a field is shown as an alert", async () => {
  const problem = {
    title: "Unauthorized",
    status: 401,
    code: "bad_credentials",
    detail: "Name or password is wrong.",
  };
  server.use(http.post("*/auth/login", () => HttpResponse.json(problem, { status: 401 })));
  show("/sign-in");
  await submit("Sign in");
  expect(await screen.findByRole("alert")).toHaveTextContent("Name or password is wrong.");
});

test("demo accounts are shown only if the server has them", async () => {
  show("/sign-in");
  await userEvent.click(screen.getByLabelText("Username"));
  expect(screen.queryByText(/This is a demo/)).toBeNull();
  isDemo = true;
  show("/sign-in");
  expect(await screen.findByText(/This is a demo/)).toBeVisible();
});

test.each([
  ["/r/room-1", "back in the room"],
  ["//elsewhere.example", "at the beginning"],
])("after signing in from %s, the page is %s", async (from, place) => {
  const user = { id: "user-ali", username: "ali", role: "user" };
  const granted = { access_token: "a", token_type: "Bearer", expires_in: 900, refresh_token: "r", user };
  server.use(
    http.post("*/auth/login", () => HttpResponse.json(granted)),
    http.post("*/auth/logout", () => new HttpResponse(null, { status: 204 })),
  );
  show("/sign-in", from);
  await submit("Sign in");
  expect(await screen.findByText(place)).toBeVisible();
  await session.signOut();
});

test("when sign-up needs an invitation, the code comes from the link and is sent to the server", async () => {
  registration = "invite";
  let asked: unknown;
  const detail = "This invitation is not valid or no longer valid.";
  const problem = { title: "Forbidden", status: 403, code: "invalid_invitation", detail };
  server.use(
    http.post("*/auth/register", async ({ request }) => {
      asked = await request.json();
      return HttpResponse.json(problem, { status: 403 });
    }),
  );
  show("/sign-up", "/", "?invitation=k7mq2x");
  expect(await screen.findByLabelText("Invitation")).toHaveValue("k7mq2x");
  await submit("Create account");
  expect(await screen.findByRole("alert")).toHaveTextContent(detail);
  expect(asked).toEqual({ username: "ali", password: "a long password", invitation: "k7mq2x" });
});

test("when sign-up is closed, the page says so and shows no form", async () => {
  registration = "closed";
  show("/sign-up");
  expect(await screen.findByText(/Sign-up is closed/)).toBeVisible();
  expect(screen.queryByLabelText("Username")).toBeNull();
  expect(screen.getByRole("link", { name: "Sign in" })).toBeVisible();
});
