import { expect, test } from "vitest";
import { withViewer } from "../../realtime/snapshots";
import { ChatStore } from "../../realtime/store";
import { anEvent } from "../../testing/wire";
import { loadViewer } from "./use-viewer-snapshot";

const ALI = { id: "user-ali", username: "ali", role: "user" as const, muted_until: null, mute_reason: null };

test("a response that an event overtook does not undo the event", async () => {
  const store = new ChatStore();
  store.update((state) => withViewer(state, ALI));
  const muted = { ...ALI, muted_until: "2026-11-30T12:00:00Z", mute_reason: "too loud" };
  const responses = [ALI, muted];
  const load = async () => {
    const response = responses.shift();
    // The mute is committed after the first response was read, and heard before it arrives.
    if (response === ALI) store.hear(anEvent("user.changed", muted));
    return response ?? muted;
  };
  await loadViewer(store, load);
  expect(store.state.viewer).toMatchObject({ mute_reason: "too loud" });
});
