// Parts of the API that are not in the generated types yet. Each is optional, since the server may be of an earlier
// release. Once `gen` has them, import from there and delete this file.

import type { HelloData, LobbyRoom, Room, RoomHead } from "./gen/types.gen";

/** What one user has read of a room, kept by the server. */
export interface Membership {
  read_seq: number;
  /** Messages of others after `read_seq` that are not deleted; at most 1,000. */
  unread: number;
  mentions: number;
  level: "all" | "mentions" | "none";
}

/** A room as the list and the state have it. Without `membership`, read marks are kept in this browser. */
export type KnownRoom = Room & { membership?: Membership | null; slug?: string };

/** A page of the list of rooms. Without `next`, the server sends all rooms at once. */
export interface RoomPage {
  rooms: KnownRoom[];
  next?: string | null;
}

export interface RoomQuery {
  archived?: boolean;
  limit?: number;
  after?: string;
  query?: string;
}

/** `lobby` also reports the newest message of rooms that changed, and omits counts that did not. */
export type LobbyNews = Pick<LobbyRoom, "id"> & Partial<LobbyRoom> & { head_seq?: number };

/** `hello` also reports the newest message of followed rooms. */
export type FollowingHello = HelloData & { followed?: RoomHead[] };
