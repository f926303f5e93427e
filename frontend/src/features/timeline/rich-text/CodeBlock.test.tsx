import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { RichText } from "./RichText";

const CODE = "```rust\nlet x = 1;\n```";

beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
});

test("code is copied without its fences", async () => {
  const user = userEvent.setup();
  render(<RichText body={CODE} />);
  expect(screen.getByText("rust")).toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "Copy code" }));
  expect(await navigator.clipboard.readText()).toBe("let x = 1;");
  expect(screen.getByRole("button", { name: "Code copied" })).toBeInTheDocument();
});

test("without a clipboard there is no button", () => {
  vi.stubGlobal("navigator", { clipboard: undefined });
  render(<RichText body={CODE} />);
  expect(screen.queryByRole("button")).toBeNull();
});

test("only code that is wider than the message can be focused", async () => {
  const { unmount } = render(<RichText body={CODE} />);
  expect(screen.queryByRole("region")).toBeNull();
  unmount();
  vi.spyOn(HTMLElement.prototype, "scrollWidth", "get").mockReturnValue(900);
  render(<RichText body={CODE} />);
  expect(screen.getByRole("region", { name: "Code, rust" })).toHaveAttribute("tabindex", "0");
});
