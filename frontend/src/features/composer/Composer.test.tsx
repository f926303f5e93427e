import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { Composer } from "./Composer";
import { outboxOf } from "./current-outbox";

const LANE = "room:1";
const field = () => screen.getByRole("textbox", { name: "Message General" });
const sent = () =>
  outboxOf("ali")
    .in(LANE)
    .map(({ body }) => body);

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: true, addEventListener() {}, removeEventListener() {} }));
  for (const { clientId } of outboxOf("ali").in(LANE)) outboxOf("ali").remove(clientId);
});

function show(onEditLast = () => {}) {
  return render(<Composer userId="ali" lane={LANE} label="Message General" onEditLast={onEditLast} />);
}

test("Enter sends the trimmed text, Shift+Enter adds a line break", async () => {
  show();
  await userEvent.type(field(), "  one{Shift>}{Enter}{/Shift}two  {Enter}");
  expect(sent()).toEqual(["one\ntwo"]);
  expect(field()).toHaveValue("");
});

test("whitespace is not sent", async () => {
  show();
  await userEvent.type(field(), "   {Enter}");
  expect(sent()).toEqual([]);
  expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
});

test.each([
  ["Chromium and Firefox", { isComposing: true, keyCode: 229 }],
  // Safari ends the composition first, so that only the key code identifies the key.
  ["Safari", { isComposing: false, keyCode: 229 }],
])("Enter that confirms an input method candidate does not send, in %s", async (_, key) => {
  show();
  await userEvent.type(field(), "かんじ");
  field().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, ...key }));
  expect(sent()).toEqual([]);
  field().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, keyCode: 13 }));
  expect(sent()).toEqual(["かんじ"]);
});

test("the draft is saved per person on every keystroke", async () => {
  const { unmount } = show();
  await userEvent.type(field(), "half a tho");
  unmount();
  show();
  expect(field()).toHaveValue("half a tho");
  expect(localStorage.getItem("gapless.draft.zoe.room:1")).toBeNull();
});

test("text over the limit is counted by user-perceived characters and cannot be sent", async () => {
  localStorage.setItem("gapless.draft.ali.room:1", "🎉".repeat(4_000));
  const { unmount } = show();
  expect(screen.getByText("4000 / 4000")).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Send" })).toBeEnabled();
  unmount();
  localStorage.setItem("gapless.draft.ali.room:1", "🎉".repeat(4_001));
  show();
  expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
});

test("ArrowUp edits the last message only while the field is empty", async () => {
  const onEditLast = vi.fn();
  show(onEditLast);
  await userEvent.type(field(), "{ArrowUp}");
  expect(onEditLast).toHaveBeenCalledOnce();
  await userEvent.type(field(), "text{ArrowUp}");
  expect(onEditLast).toHaveBeenCalledOnce();
});
