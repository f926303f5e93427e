// The pinned messages of the rooms that are open here, newest pin first.

import type { AnyMessage } from "../api/earlier-release";
import { type ChatState, type TimelineMessage, timelineMessage } from "./state";

type Pins = readonly TimelineMessage[];

/** Sets the list of a room, and forgets those of rooms whose messages are no longer kept. */
export function withPins(state: ChatState, roomId: string, messages: readonly AnyMessage[]): ChatState {
  const kept = Object.entries(state.pins).filter(([id]) => state.logs[id]);
  return { ...state, pins: { ...Object.fromEntries(kept), [roomId]: messages.map(timelineMessage) } };
}

export function withPinned(state: ChatState, message: TimelineMessage): ChatState {
  return changed(state, message.room_id, (pins) => [message, ...pins.filter(({ id }) => id !== message.id)]);
}

export function withUnpinned(state: ChatState, { id, room_id }: Pick<TimelineMessage, "id" | "room_id">) {
  return changed(state, room_id, (pins) => pins.filter((pin) => pin.id !== id));
}

/** Follows an edit, a deletion or a new name; returns the same state if no pin is concerned. */
export function withPinsChanged(state: ChatState, change: (pin: TimelineMessage) => TimelineMessage | null) {
  let isChanged = false;
  const pins = Object.entries(state.pins).map(([id, list]) => {
    const next = list.map(change);
    isChanged ||= next.some((pin, at) => pin !== list[at]);
    return [id, next.filter((pin) => pin !== null)] as const;
  });
  return isChanged ? counted({ ...state, pins: Object.fromEntries(pins) }) : state;
}

/** A list that is being loaded may be older than this change, so it counts even where no list is known. */
function changed(state: ChatState, roomId: string, change: (pins: Pins) => Pins): ChatState {
  const pins = state.pins[roomId];
  return counted(pins ? { ...state, pins: { ...state.pins, [roomId]: change(pins) } } : state);
}

const counted = (state: ChatState): ChatState => ({ ...state, pinsVersion: state.pinsVersion + 1 });
