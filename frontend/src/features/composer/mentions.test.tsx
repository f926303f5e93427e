import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import { server, usesServer } from "../../testing/server";
import { session } from "../session/session";
import { Composer } from "./Composer";
import { outboxOf } from "./current-outbox";

usesServer();

const LANE = "room:1";
const id = (n: number) => `0193798b-8f7e-7cc1-9d6f-00000000000${n}`;
const ALI = { id: id(1), username: "ali", role: "user" };
const ANNE = { id: id(2), username: "anne", role: "admin" };
const ZOE = { id: id(3), username: "zoe", role: "user" };

const field = () => screen.getByRole("textbox", { name: "Message General" });
const options = () => screen.findAllByRole("option");
const chosen = () => screen.getByRole("option", { selected: true });
const last = () => outboxOf("ali").in(LANE).at(-1);

beforeEach(() => {
  connectClient(session);
  for (const { clientId } of outboxOf("ali").in(LANE)) outboxOf("ali").remove(clientId);
  server.use(
    http.get("*/rooms/1/people", ({ request }) => {
      const query = new URL(request.url).searchParams.get("query") ?? "";
      const people = [ZOE, ANNE, ALI].filter(({ username }) => username.startsWith(query));
      return HttpResponse.json({ people });
    }),
  );
});

function show() {
  return render(
    <QueryClientProvider client={new QueryClient()}>
      <Composer userId="ali" lane={LANE} label="Message General" />
    </QueryClientProvider>,
  );
}

test("@ lists people; arrows, Enter and Tab choose, and Enter then sends the token", async () => {
  show();
  await userEvent.type(field(), "hello @");
  expect((await options()).map(({ textContent }) => textContent)).toEqual(["zoe", "anneadmin", "ali"]);
  expect(field()).toHaveAttribute("aria-activedescendant", chosen().id);
  await userEvent.keyboard("{ArrowDown}{ArrowDown}{ArrowDown}{ArrowUp}");
  expect(chosen()).toHaveTextContent("ali");
  await userEvent.keyboard("{Tab}");
  expect(field()).toHaveValue("hello @ali ");
  expect(screen.queryByRole("listbox")).toBeNull();
  await userEvent.type(field(), "and @an");
  await waitFor(() => expect(chosen()).toHaveTextContent("anne"));
  await userEvent.keyboard("{Enter}");
  expect(field()).toHaveValue("hello @ali and @anne ");
  expect(last()).toBeUndefined();
  await userEvent.keyboard("{Enter}");
  expect(last()).toMatchObject({
    body: `hello @[user:${ALI.id}] and @[user:${ANNE.id}]`,
    mentions: [{ id: ALI.id }, { id: ANNE.id }],
  });
});

test("Escape closes the list for this @ only, and a click chooses", async () => {
  show();
  await userEvent.type(field(), "@a");
  await options();
  await userEvent.keyboard("{Escape}");
  expect(screen.queryByRole("listbox")).toBeNull();
  await userEvent.type(field(), "l @");
  const [first] = await options();
  if (first) await userEvent.click(first);
  expect(field()).toHaveValue("@al @zoe ");
  expect(field()).toHaveFocus();
});

test("a name that is typed in full is a mention; one that nobody has is not", async () => {
  show();
  await userEvent.type(field(), "@zoe");
  await options();
  await userEvent.type(field(), " and @nobody{Enter}");
  expect(last()).toMatchObject({ body: `@[user:${ZOE.id}] and @nobody`, mentions: [{ id: ZOE.id }] });
});

test("who was chosen is kept with the draft", async () => {
  const { unmount } = show();
  await userEvent.type(field(), "@z");
  await options();
  await userEvent.keyboard("{Enter}");
  unmount();
  show();
  expect(field()).toHaveValue("@zoe ");
  await userEvent.type(field(), "!{Enter}");
  expect(last()?.body).toBe(`@[user:${ZOE.id}] !`);
  await userEvent.type(field(), "@zoe2 later{Enter}");
  expect(last()?.mentions).toEqual([]);
});
