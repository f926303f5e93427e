import { act, fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { Toasts } from "../../ui/Toast";
import { attach } from "./attached";
import { Composer } from "./Composer";
import { outboxOf } from "./current-outbox";

const LANE = "room:1";
const field = () => screen.getByRole("textbox", { name: "Message General" });
const sent = () =>
  outboxOf("ali")
    .in(LANE)
    .map(({ body }) => body);

function usePointer(pointer: "fine" | "coarse") {
  vi.stubGlobal("matchMedia", (query: string) => ({ matches: query === `(pointer: ${pointer})` }));
}

beforeEach(() => {
  usePointer("fine");
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

test("a pasted picture is refused with a sentence, and text beside it is kept", () => {
  render(<Toasts />);
  show();
  const paste = (text: string) => {
    const clipboardData = { files: [new File(["x"], "cat.png", { type: "image/png" })], getData: () => text };
    return fireEvent.paste(field(), { clipboardData });
  };
  expect(paste("a table of cells")).toBe(true);
  expect(screen.queryByTestId("toast")).toBeNull();
  expect(paste("")).toBe(false);
  expect(screen.getByTestId("toast")).toHaveTextContent("Pictures and files cannot be sent here yet");
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

test("on a touch screen Enter is a line break, and the button sends", async () => {
  usePointer("coarse");
  show();
  expect(field()).toHaveAttribute("enterkeyhint", "enter");
  await userEvent.type(field(), "- one{Enter}two");
  expect(sent()).toEqual([]);
  await userEvent.click(screen.getByRole("button", { name: "Send" }));
  expect(sent()).toEqual(["- one\n- two"]);
});

test("Shift+Enter continues a list, and ends it at an empty item", async () => {
  show();
  const lineBreak = "{Shift>}{Enter}{/Shift}";
  await userEvent.type(field(), `1. one${lineBreak}two${lineBreak}${lineBreak}after`);
  expect(field()).toHaveValue("1. one\n2. two\nafter");
});

test("shortcuts put marks around the selected words", async () => {
  show();
  await userEvent.type(field(), "a word", { initialSelectionStart: 0 });
  await userEvent.type(field(), "{Control>}b{/Control}", {
    initialSelectionStart: 2,
    initialSelectionEnd: 6,
  });
  expect(field()).toHaveValue("a **word**");
  await userEvent.keyboard("{Control>}e{/Control}");
  expect(field()).toHaveValue("a **`word`**");
});

test("an address pasted over words makes them a link", async () => {
  show();
  await userEvent.type(field(), "see this page");
  (field() as HTMLTextAreaElement).setSelectionRange(4, 13);
  await userEvent.paste("https://example.org/a");
  expect(field()).toHaveValue("see [this page](https://example.org/a)");
});

const ORIGINAL = { seq: 7, author: { id: "zoe", username: "zoe" }, excerpt: "```js\nfirst line\nsecond" };

test("a reply is shown above the field, kept like the text, and sent with it", async () => {
  attach("ali", LANE, { replyTo: ORIGINAL });
  const { unmount } = show();
  expect(screen.getByRole("note")).toHaveTextContent("Replying to zoe: first line");
  await userEvent.type(field(), "yes");
  unmount();
  show();
  expect(screen.getByRole("note")).toHaveTextContent("Replying to zoe");
  await userEvent.type(field(), "{Enter}");
  const [unsent] = outboxOf("ali").in(LANE);
  expect(unsent).toMatchObject({ body: "yes", replyTo: ORIGINAL });
  expect(screen.queryByRole("note")).toBeNull();
  await userEvent.type(field(), "no reply{Enter}");
  expect(outboxOf("ali").in(LANE).at(-1)?.replyTo).toBeNull();
});

test("Escape or the button cancels a reply and keeps the text", async () => {
  show();
  await userEvent.type(field(), "a thought");
  for (const cancel of [
    () => userEvent.keyboard("{Escape}"),
    () => userEvent.click(screen.getByRole("button", { name: "Cancel reply" })),
  ]) {
    act(() => attach("ali", LANE, { replyTo: ORIGINAL }));
    expect(screen.getByRole("note")).toBeInTheDocument();
    await cancel();
    expect(screen.queryByRole("note")).toBeNull();
    expect(field()).toHaveFocus();
    expect(field()).toHaveValue("a thought");
  }
});

test("an unknown command is held back until it is sent as text", async () => {
  show();
  await userEvent.type(field(), "/help me{Enter}");
  expect(sent()).toEqual([]);
  expect(screen.getByRole("alert")).toHaveTextContent("There is no command /help.");
  await userEvent.type(field(), "{Backspace}");
  await userEvent.click(screen.getByRole("button", { name: "Send as text" }));
  expect(sent()).toEqual(["/help m"]);
  expect(screen.queryByRole("alert")).toBeNull();
  await userEvent.type(field(), "/usr/bin is a path{Enter}");
  expect(sent()).toEqual(["/help m", "/usr/bin is a path"]);
});

test("without field-sizing, the field is given the height of its text", async () => {
  vi.stubGlobal("CSS", { supports: () => false });
  vi.spyOn(HTMLTextAreaElement.prototype, "scrollHeight", "get").mockImplementation(function (
    this: HTMLTextAreaElement,
  ) {
    return 20 * this.value.split("\n").length;
  });
  show();
  await userEvent.type(field(), "one{Shift>}{Enter}{/Shift}two");
  expect(field()).toHaveStyle({ height: "40px" });
  await userEvent.type(field(), "{Enter}");
  expect(field()).toHaveStyle({ height: "20px" });
});
