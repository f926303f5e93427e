import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import { withViewer } from "../../realtime/snapshots";
import { chat } from "../../realtime/store";
import { server, usesServer } from "../../testing/server";
import { session } from "../session/session";
import { outboxOf } from "./current-outbox";
import { readDraft, writeDraft } from "./drafts";
import { askToSignOut, SignOutQuestion } from "./SignOut";

usesServer();

const ZOE = { id: "user-zoe-signs-out", username: "zoe", role: "user" as const };
const LANE = "room:1";

beforeEach(async () => {
  connectClient(session);
  const granted = {
    access_token: "a",
    token_type: "Bearer",
    expires_in: 900,
    refresh_token: "r",
    user: ZOE,
  };
  server.use(
    http.post("*/auth/login", () => HttpResponse.json(granted)),
    http.post("*/auth/logout", () => new HttpResponse(null, { status: 204 })),
  );
  await session.signIn("zoe", "a long password");
  chat.update((state) => withViewer(state, ZOE));
  writeDraft(ZOE.id, LANE, "");
});

test("without anything typed, signing out asks nothing", async () => {
  writeDraft("somebody-else", LANE, "not hers");
  writeDraft(ZOE.id, LANE, "  ");
  render(<SignOutQuestion />);
  askToSignOut();
  await waitFor(() => expect(session.userId).toBeNull());
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("drafts and unsent messages stay in the browser unless it is a shared one", async () => {
  writeDraft(ZOE.id, LANE, "half a sentence");
  render(<SignOutQuestion />);
  askToSignOut();
  expect(await screen.findByRole("dialog", { name: "Sign out?" })).toHaveTextContent(
    "This browser holds 1 draft.",
  );
  await userEvent.click(screen.getByRole("button", { name: "Cancel" }));
  expect(session.userId).toBe(ZOE.id);
  askToSignOut();
  await userEvent.click(await screen.findByRole("button", { name: "Sign out" }));
  await waitFor(() => expect(session.userId).toBeNull());
  expect(readDraft(ZOE.id, LANE)).toBe("half a sentence");
});

test("on a shared computer they are deleted, and those of others stay", async () => {
  writeDraft(ZOE.id, LANE, "half a sentence");
  writeDraft(ZOE.id, "edit:message-1", "half an edit");
  writeDraft("somebody-else", LANE, "not hers");
  outboxOf(ZOE.id).send(LANE, "never sent");
  render(<SignOutQuestion />);
  askToSignOut();
  expect(await screen.findByRole("dialog")).toHaveTextContent("2 drafts and 1 unsent message");
  await userEvent.click(screen.getByRole("checkbox", { name: /shared computer/ }));
  await userEvent.click(screen.getByRole("button", { name: "Sign out" }));
  await waitFor(() => expect(session.userId).toBeNull());
  expect(readDraft(ZOE.id, LANE)).toBe("");
  expect(readDraft(ZOE.id, "edit:message-1")).toBe("");
  expect(outboxOf(ZOE.id).in(LANE)).toEqual([]);
  expect(readDraft("somebody-else", LANE)).toBe("not hers");
});
