// The pins of the open room, and jumps from their list to a message. `pinning.ts` loads and changes them.

import { Observable } from "../../browser/observable";
import type { TimelineMessage } from "../../realtime/state";
import { useChat } from "../../realtime/store";

const NONE: readonly TimelineMessage[] = [];

/** A message to show in the open room: each object is one jump. */
export const jump = new Observable<{ roomId: string; seq: number } | null>(null);

export function usePins(roomId: string): readonly TimelineMessage[] {
  return useChat((state) => state.pins[roomId] ?? NONE);
}
