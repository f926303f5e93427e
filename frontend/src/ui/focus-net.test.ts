import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startFocusNet } from "./focus-net";

const at = (selector: string) => document.querySelector<HTMLElement>(selector) as HTMLElement;
/** Waits until observers and animation frames have run. */
async function settled(): Promise<void> {
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}

let stop = () => {};

function show(html: string, hasKeyboard = true): void {
  vi.stubGlobal("matchMedia", () => ({ matches: hasKeyboard }));
  document.body.innerHTML = html;
}

beforeEach(() => {
  stop = startFocusNet();
});

afterEach(() => {
  stop();
  document.body.replaceChildren();
});

const ROOM = `
  <main tabindex="-1">
    <div role="log" tabindex="0"><div><article><button id="edit"></button></article></div></div>
    <textarea data-composer></textarea>
  </main>`;
const LIST = `
  <main>
    <ul><li><a href="#1" id="first"></a></li><li><button id="second"></button></li><li><b></b></li></ul>
  </main>`;

test("after an action, the composer gets the focus", async () => {
  show(ROOM);
  at("#edit").focus();
  at("#edit").remove();
  await settled();
  expect(at("textarea")).toHaveFocus();
});

test("on a touch screen, no keyboard opens by itself", async () => {
  show(ROOM, false);
  at("#edit").focus();
  at("#edit").remove();
  await settled();
  expect(at("main")).toHaveFocus();
});

test("when a row is scrolled out, the focus stays in the log", async () => {
  show(ROOM);
  at("#edit").focus();
  at("article").remove();
  await settled();
  expect(at("[role=log]")).toHaveFocus();
});

test("when a row is removed, the next or previous row gets the focus", async () => {
  show(LIST);
  at("#first").focus();
  at("li").remove();
  await settled();
  expect(at("#second")).toHaveFocus();
  at("#second").remove();
  await settled();
  expect(at("main")).toHaveFocus();
});

test("when the opener of a dialog is gone, the focus moves on from its place", async () => {
  show(LIST);
  at("#first").focus();
  at("main").insertAdjacentHTML("beforeend", "<dialog open><button id='yes'></button></dialog>");
  at("#yes").focus();
  await settled();
  at("#first").remove();
  at("dialog").remove();
  await settled();
  expect(at("#second")).toHaveFocus();
});

test("a click on empty space does not move the focus", async () => {
  show(ROOM);
  at("#edit").focus();
  at("#edit").blur();
  await settled();
  at("#edit").remove();
  await settled();
  expect(document.body).toHaveFocus();
});
