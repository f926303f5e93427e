import { afterEach, expect, test } from "vitest";
import { EMPTY_STATE, shownMessages } from "../realtime/state";
import { chat } from "../realtime/store";
import { aMessage, aRoom } from "../testing/wire";
import { takeOver } from "./early-page";

const ROOM = aRoom();

/** A page as the server sends it. */
function arrive(path: string, at: number | null, withData = true): void {
  history.replaceState(null, "", path);
  const page = {
    messages: [aMessage(7)],
    head_seq: 7,
    first_seq: 1,
    cursor: "a.7",
  };
  const data = JSON.stringify({ room: ROOM, page });
  document.body.innerHTML = `<div id="root"><main class="early"${at === null ? "" : ` data-at="${at}"`}></main></div>`;
  if (withData) {
    const script = document.createElement("script");
    Object.assign(script, { type: "application/json", id: "first-page", textContent: data });
    document.body.append(script);
  }
}

afterEach(() => {
  document.body.innerHTML = "";
  document.documentElement.className = "";
  chat.update(() => EMPTY_STATE);
});

test("a newcomer's room begins with the messages of the page", () => {
  arrive(`/r/${ROOM.id}`, null);
  takeOver();
  expect(chat.state.rooms?.[ROOM.id]?.name).toBe(ROOM.name);
  const log = chat.state.logs[ROOM.id];
  expect(log && shownMessages(log).map(({ seq }) => seq)).toEqual([7]);
});

test("somebody who was here before, and a page without messages, load as always", () => {
  arrive(`/r/${ROOM.id}`, null);
  document.documentElement.className = "returning";
  takeOver();
  document.documentElement.className = "";
  arrive(`/r/${ROOM.id}`, null, false);
  takeOver();
  expect(chat.state).toBe(EMPTY_STATE);
});

test("the address of a day becomes that of its first message; others stay", () => {
  arrive(`/r/general-${ROOM.id}/2026-11-30`, 12, false);
  takeOver();
  expect(location.pathname).toBe(`/r/general-${ROOM.id}/12`);
  arrive(`/r/general-${ROOM.id}/40`, 40, false);
  takeOver();
  expect(location.pathname).toBe(`/r/general-${ROOM.id}/40`);
});
