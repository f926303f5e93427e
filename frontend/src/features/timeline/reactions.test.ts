import { waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { beforeEach, describe, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import { withEdited } from "../../realtime/apply";
import { withNewestMessages, withOpenRoom, withViewer } from "../../realtime/snapshots";
import { EMPTY_STATE, timelineMessage } from "../../realtime/state";
import { chat } from "../../realtime/store";
import { server, usesServer } from "../../testing/server";
import { aMessage } from "../../testing/wire";
import { session } from "../session/session";
import { EMOJI, findEmoji } from "./emoji-list";
import { roomEntry } from "./entry";
import { noteUse, oftenUsed } from "./often-used";
import { pendingReactions, withOwn, withPending } from "./pending-reactions";
import { setReaction } from "./reacting";

const thumbs = (count: number, mine = false) => ({ emoji: "👍", count, mine });
const heart = { emoji: "❤️", count: 1, mine: true };

describe("a reaction of one's own", () => {
  test("is added once, and removed once", () => {
    expect(withOwn([thumbs(2)], "👍", true)).toEqual([thumbs(3, true)]);
    expect(withOwn([thumbs(3, true)], "👍", true)).toEqual([thumbs(3, true)]);
    expect(withOwn([thumbs(3, true), heart], "👍", false)).toEqual([thumbs(2), heart]);
    expect(withOwn([thumbs(1, true), heart], "👍", false)).toEqual([heart]);
    expect(withOwn([heart], "👍", false)).toEqual([heart]);
    expect(withOwn([heart], "👍", true)).toEqual([heart, thumbs(1, true)]);
  });

  test("changes nothing once the event with it has arrived", () => {
    const pending = new Map([["👍", true]]);
    expect(withPending([], pending)).toEqual([thumbs(1, true)]);
    expect(withPending([thumbs(1, true)], pending)).toEqual([thumbs(1, true)]);
    expect(withPending([thumbs(1)], undefined)).toEqual([thumbs(1)]);
  });
});

describe("a change", () => {
  usesServer();
  let asked: string[];
  let answers: (() => void)[];
  let status: number;

  beforeEach(() => {
    [asked, answers, status] = [[], [], 204];
    connectClient(session);
    chat.update(() =>
      withNewestMessages(withOpenRoom(EMPTY_STATE, "room-1"), "room-1", {
        messages: [aMessage(1)],
        head_seq: 1,
      }),
    );
    server.use(
      http.all("*/messages/:id/reactions/:emoji", async ({ request, params }) => {
        asked.push(`${request.method} ${params.id} ${params.emoji}`);
        await new Promise<void>((resolve) => answers.push(resolve));
        if (status === 204) return new HttpResponse(null, { status });
        return HttpResponse.json({ status, detail: "This message has too many reactions." }, { status });
      }),
    );
  });

  const known = () => chat.state.logs["room-1"]?.messages[0];
  const shown = () => {
    const message = known();
    return message && roomEntry(message, pendingReactions.current.get(message.id)).reactions;
  };
  const set = (mine: boolean) => setReaction({ id: "message-1", roomId: "room-1" }, "👍", mine);
  const isAsked = (count: number) => waitFor(() => expect(answers).toHaveLength(count));

  test("is shown at once, and stays when it is confirmed", async () => {
    const done = set(true);
    expect(shown()).toEqual([thumbs(1, true)]);
    await isAsked(1);
    answers[0]?.();
    await done;
    expect(asked).toEqual(["PUT message-1 👍"]);
    expect(pendingReactions.current.size).toBe(0);
    expect(known()?.reactions).toEqual([thumbs(1, true)]);
  });

  test("is taken back when it is refused", async () => {
    status = 409;
    const done = set(true);
    await isAsked(1);
    answers[0]?.();
    await done;
    expect(shown()).toEqual([]);
  });

  test("that is reversed before its answer ends as the reader wanted last", async () => {
    const done = set(true);
    await isAsked(1);
    void set(false);
    expect(shown()).toEqual([]);
    answers[0]?.();
    await isAsked(2);
    answers[1]?.();
    await done;
    expect(asked).toEqual(["PUT message-1 👍", "DELETE message-1 👍"]);
    expect(shown()).toEqual([]);
    expect(known()?.reactions).toEqual([]);
  });
});

test("an edit keeps the reader's own reactions, and another reader has none of them", () => {
  const ali = { id: "user-ali", username: "ali", role: "user" as const };
  let state = withOpenRoom(withViewer(EMPTY_STATE, ali), "room-1");
  const message = aMessage(1, { reactions: [thumbs(2, true)] });
  state = withNewestMessages(state, "room-1", { messages: [message], head_seq: 1 });
  const edited = aMessage(1, { edited_at: "2026-11-22T12:00:00Z", reactions: [thumbs(2)] });
  state = withEdited(state, timelineMessage(edited));
  expect(state.logs["room-1"]?.messages[0]?.reactions).toEqual([thumbs(2, true)]);
  state = withViewer(state, null);
  expect(state.logs["room-1"]?.messages[0]?.reactions).toEqual([thumbs(2)]);
});

describe("the list of emoji", () => {
  test("has each once, in the form that every browser shows as a picture, with a name", () => {
    const isWhole = /^\p{RGI_Emoji}$/v;
    expect(EMOJI.filter(({ emoji }) => !isWhole.test(emoji))).toEqual([]);
    expect(EMOJI.filter(({ name }) => name.trim() === "")).toEqual([]);
    expect(new Set(EMOJI.map(({ emoji }) => emoji)).size).toBe(EMOJI.length);
    expect(EMOJI.filter(({ emoji }) => new TextEncoder().encode(emoji).length > 32)).toEqual([]);
  });

  test("is searched by the beginnings of words", () => {
    const found = (query: string) => findEmoji(query).map(({ emoji }) => emoji);
    expect(found("thumb")).toEqual(["👍", "👎"]);
    expect(found(" Red HEA ")).toEqual(["❤️"]);
    expect(found("🚀")).toEqual(["🚀"]);
    expect(found("nothing like it")).toEqual([]);
    expect(found("")).toHaveLength(EMOJI.length);
  });
});

test("the emoji used most often come first", () => {
  expect(oftenUsed()).toEqual(["👍", "❤️", "😂"]);
  for (const emoji of ["🚀", "👀", "🚀"]) noteUse(emoji);
  expect(oftenUsed()).toEqual(["🚀", "👀", "👍"]);
  for (let n = 0; n < 100; n++) noteUse("🎉");
  expect(oftenUsed()[0]).toBe("🎉");
});
