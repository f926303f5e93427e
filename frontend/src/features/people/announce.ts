// Announces that the reader is typing.

import { announceTyping } from "../../api/gen/sdk.gen";
import { chat } from "../../realtime/store";

/** Minimum time between two announcements in a room. The server drops earlier ones than 3 s, and they arrive unevenly. */
export const ANNOUNCE_EVERY_MS = 3_500;
/** The server tells nobody in a room with more people. */
const MOST_PEOPLE = 50;

const announced = new Map<string, number>();

/** Called when the text of a new message has changed. Nobody is told if nobody else is in the room. */
export function noteTyping(roomId: string): void {
  const now = Date.now();
  if (now < (announced.get(roomId) ?? 0) + ANNOUNCE_EVERY_MS) return;
  const { users = 0, guests = 0 } = chat.state.rooms?.[roomId]?.online ?? {};
  if (users + guests < 2 || users + guests > MOST_PEOPLE) return;
  announced.set(roomId, now);
  // Nothing depends on it.
  void announceTyping({ path: { id: roomId } }).catch(() => {});
}
