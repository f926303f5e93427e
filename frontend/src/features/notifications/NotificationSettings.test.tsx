import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { NotificationSettings } from "./NotificationSettings";

afterEach(() => vi.unstubAllGlobals());

test("Safari on a phone is told the steps to the home screen", async () => {
  vi.spyOn(navigator, "platform", "get").mockReturnValue("iPhone");
  render(<NotificationSettings />);
  await userEvent.click(screen.getByRole("button", { name: "Show me how" }));
  expect(screen.getByRole("dialog", { name: "Add Gapless to your home screen" })).toBeVisible();
  expect(screen.getAllByRole("listitem")).toHaveLength(3);
  await userEvent.click(screen.getByRole("button", { name: "Done" }));
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("a browser without notifications says so", () => {
  vi.stubGlobal("isSecureContext", true);
  render(<NotificationSettings />);
  expect(screen.getByText(/cannot show notifications for this site/)).toBeVisible();
});

test("a site that is not opened with https says so", () => {
  vi.stubGlobal("isSecureContext", false);
  render(<NotificationSettings />);
  expect(screen.getByText(/only for sites that are opened with https/)).toBeVisible();
});
