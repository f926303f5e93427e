import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { connectClient } from "../../api/client";
import { server, usesServer } from "../../testing/server";
import { aMessage } from "../../testing/wire";
import { session } from "../session/session";
import { MessageEditor } from "./MessageEditor";

usesServer();

const field = () => screen.getByRole("textbox", { name: "Edit message" });
let saved: string[];

beforeEach(() => {
  connectClient(session);
  saved = [];
  server.use(
    http.patch("*/messages/:id", async ({ request }) => {
      const { body } = (await request.json()) as { body: string };
      saved.push(body);
      return HttpResponse.json(aMessage(1, { body }));
    }),
  );
});

function edit() {
  const calls = { onDone: vi.fn(), onEmptied: vi.fn() };
  const { unmount } = render(
    <MessageEditor
      userId="ali"
      roomId="room-1"
      messageId="message-1"
      body="before"
      mentions={[]}
      {...calls}
    />,
  );
  return { ...calls, unmount };
}

test("saving replaces the message once", async () => {
  const { onDone } = edit();
  expect(field()).toHaveFocus();
  await userEvent.clear(field());
  await userEvent.type(field(), "after{Enter}{Enter}");
  await waitFor(() => expect(onDone).toHaveBeenCalledOnce());
  expect(saved).toEqual(["after"]);
});

test("the field can be emptied, and saving it empty asks the parent", async () => {
  const { onDone, onEmptied } = edit();
  await userEvent.clear(field());
  expect(field()).toHaveValue("");
  await userEvent.keyboard("{Enter}");
  expect(onEmptied).toHaveBeenCalledOnce();
  expect(onDone).not.toHaveBeenCalled();
  expect(saved).toEqual([]);
});

test("the new text is kept when the field is unmounted, unless it is cancelled", async () => {
  const first = edit();
  await userEvent.type(field(), " and more");
  first.unmount();
  const second = edit();
  expect(field()).toHaveValue("before and more");
  await userEvent.keyboard("{Escape}");
  expect(second.onDone).toHaveBeenCalledOnce();
  second.unmount();
  edit();
  expect(field()).toHaveValue("before");
});

test.each([
  ["Chromium and Firefox", { isComposing: true, keyCode: 229 }],
  ["Safari", { isComposing: false, keyCode: 229 }],
])("keys of an input method neither save nor cancel, in %s", async (_, key) => {
  const { onDone } = edit();
  await userEvent.type(field(), "かんじ");
  fireEvent.keyDown(field(), { key: "Enter", ...key });
  fireEvent.keyDown(field(), { key: "Escape", ...key });
  expect(onDone).not.toHaveBeenCalled();
  expect(field()).toHaveValue("beforeかんじ");
});

test("mentions are names while they are edited, and tokens again when they are saved", async () => {
  const zoe = { id: "0193798b-8f7e-7cc1-9d6f-000000000003", username: "zoe" };
  const calls = { onDone: vi.fn(), onEmptied: vi.fn() };
  const body = `ask @[user:${zoe.id}]`;
  render(
    <MessageEditor
      userId="ali"
      roomId="room-1"
      messageId="message-1"
      body={body}
      mentions={[zoe]}
      {...calls}
    />,
  );
  expect(field()).toHaveValue("ask @zoe");
  await userEvent.type(field(), ", please{Enter}");
  await waitFor(() => expect(calls.onDone).toHaveBeenCalledOnce());
  expect(saved).toEqual([`${body}, please`]);
});
