// The kinds of events of this release: those of the generated list, and those that it will get. Once it has them, import
// from `events.ts` and delete this file.

import { type RoomRead, UPCOMING_KINDS } from "../api/upcoming";
import { EVENT_KINDS as GENERATED_KINDS, type DataTypes as GeneratedTypes } from "./events";

export const EVENT_KINDS = { ...GENERATED_KINDS, ...UPCOMING_KINDS };

export type EventKind = keyof typeof EVENT_KINDS;

export interface DataTypes extends GeneratedTypes {
  RoomRead: RoomRead;
}
