import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { showToast, Toasts } from "./Toast";

beforeEach(() => {
  vi.useFakeTimers();
  render(<Toasts />);
});

afterEach(() => {
  pass(60_000);
  vi.useRealTimers();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTime(ms));
const show = (...options: Parameters<typeof showToast>) => act(() => showToast(...options));

test("a toast is announced and disappears by itself", () => {
  const region = screen.getByRole("status", { name: "Notifications" });
  expect(region).toBeEmptyDOMElement();
  show({ text: "Link copied" });
  expect(region).toHaveTextContent("Link copied");
  pass(4_000);
  expect(screen.queryByText("Link copied")).toBeNull();
});

test("an action gets eight seconds, runs once and removes the toast", () => {
  const undo = vi.fn();
  show({ text: "All rooms marked as read", action: { label: "Undo", onSelect: undo } });
  pass(7_900);
  fireEvent.click(screen.getByRole("button", { name: "Undo" }));
  expect(undo).toHaveBeenCalledOnce();
  expect(screen.queryByText("All rooms marked as read")).toBeNull();
});

test("a toast at the top is announced by a region of its own, and may have two actions", () => {
  const [reply, open] = [vi.fn(), vi.fn()];
  const actions = {
    action: { label: "Reply", onSelect: reply },
    second: { label: "Open", onSelect: open },
  };
  show({ text: "Private message from zoe", detail: "hello", isAtTop: true, ms: 6_000, ...actions });
  expect(screen.getByRole("status", { name: "New private messages" })).toHaveTextContent("hello");
  expect(screen.getByRole("status", { name: "Notifications" })).toBeEmptyDOMElement();
  pass(5_900);
  fireEvent.click(screen.getByRole("button", { name: "Open" }));
  expect(open).toHaveBeenCalledOnce();
  expect(reply).not.toHaveBeenCalled();
  expect(screen.queryByTestId("toast")).toBeNull();
});

test("time stops under the pointer and in focus", () => {
  show({ text: "Room archived" });
  pass(3_900);
  fireEvent.pointerEnter(screen.getByTestId("toast"));
  pass(30_000);
  expect(screen.getByText("Room archived")).toBeVisible();
  fireEvent.pointerLeave(screen.getByTestId("toast"));
  pass(1_000);
  expect(screen.queryByText("Room archived")).toBeNull();
});

test("a toast replaces the one with its key, and at most three are shown", () => {
  show({ text: "one", key: "same" });
  show({ text: "two", key: "same" });
  expect(screen.queryByText("one")).toBeNull();
  for (const text of ["three", "four", "five"]) show({ text });
  expect(screen.getAllByTestId("toast")).toHaveLength(3);
  expect(screen.queryByText("two")).toBeNull();
});

test("the caller may remove a toast earlier", () => {
  let remove = () => {};
  act(() => {
    remove = showToast({ text: "Sending" });
  });
  act(() => remove());
  expect(screen.queryByText("Sending")).toBeNull();
});
