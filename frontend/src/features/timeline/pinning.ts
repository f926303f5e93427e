// Loads the pins of a room, and pins and unpins messages.

import { useQuery } from "@tanstack/react-query";
import { listPins, pinMessage, unpinMessage } from "../../api/gen/sdk.gen";
import { answer, sentence } from "../../api/problem";
import { untilAnswered } from "../../api/until-answered";
import { withPinned, withPins, withUnpinned } from "../../realtime/pins";
import type { TimelineMessage } from "../../realtime/state";
import { chat, useChat } from "../../realtime/store";
import { showToast } from "../../ui/Toast";

/** Loads the pins of a room after its messages; from then on the stream changes them. An archived room has no stream. */
export function usePinsSnapshot(roomId: string, isArchived: boolean): void {
  const coverage = useChat((state) => state.coverage.rooms[roomId] ?? 0);
  const viewerId = useChat((state) => state.viewer?.id);
  const areMessagesLoaded = useChat((state) => (state.logs[roomId]?.from ?? null) !== null);
  useQuery({
    queryKey: ["pins", roomId, coverage, viewerId],
    queryFn: () => loadPins(roomId),
    ...untilAnswered,
    enabled: areMessagesLoaded && (coverage > 0 || isArchived),
  });
}

async function loadPins(roomId: string): Promise<number> {
  for (;;) {
    const version = chat.state.pinsVersion;
    const { messages } = await answer(listPins({ path: { id: roomId } }));
    if (chat.state.pinsVersion !== version) continue;
    chat.update((state) => withPins(state, roomId, messages));
    return messages.length;
  }
}

/** Pins a message for everybody in the room. */
export function pin(message: TimelineMessage): Promise<void> {
  return change(async () => {
    await answer(pinMessage({ path: { id: message.id } }));
    // The event may have come first; on a delayed stream it comes later.
    const isKnown = chat.state.pins[message.room_id]?.some(({ id }) => id === message.id);
    if (!isKnown) chat.update((state) => withPinned(state, message));
    showToast({ text: "Pinned for everyone in this room", key: "pin" });
  }, "Could not pin this message");
}

export function unpin(message: Pick<TimelineMessage, "id" | "room_id">): Promise<void> {
  return change(async () => {
    await answer(unpinMessage({ path: { id: message.id } }));
    chat.update((state) => withUnpinned(state, message));
    showToast({ text: "Unpinned", key: "pin" });
  }, "Could not unpin this message");
}

async function change(make: () => Promise<void>, failure: string): Promise<void> {
  try {
    await make();
  } catch (error) {
    showToast({ text: failure, detail: sentence(error), key: "pin" });
  }
}
