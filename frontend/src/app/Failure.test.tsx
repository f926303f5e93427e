import { render, screen } from "@testing-library/react";
import { useState } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { Failure } from "./Failure";

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {}); // React reports what a boundary caught.
});

/** Shows an element beside a text node, and removes the text on a click. */
function Page() {
  const [isShown, setShown] = useState(true);
  return (
    <p>
      {isShown && "a text"}
      <button type="button" onClick={() => setShown(false)}>
        Go on
      </button>
    </p>
  );
}

/** Wraps text nodes as a translator does. */
function wrapText() {
  const text = document.querySelector("p")?.firstChild;
  const font = document.createElement("font");
  font.textContent = "un texte";
  text?.replaceWith(font);
}

const goOn = () => screen.getByRole("button", { name: "Go on" });

test("a page modified from outside is rebuilt, a limited number of times", async () => {
  render(
    <Failure>
      <Page />
    </Failure>,
  );
  for (let n = 0; n < 3; n++) {
    wrapText();
    goOn().click();
    expect(await screen.findByText("a text")).toBeVisible();
  }
  wrapText();
  goOn().click();
  expect(await screen.findByText("Something went wrong")).toBeVisible();
});

test("an error of the app is not retried", async () => {
  const Broken = vi.fn((): never => {
    throw new Error("ours");
  });
  render(
    <Failure>
      <Broken />
    </Failure>,
  );
  expect(await screen.findByText("Something went wrong")).toBeVisible();
});
