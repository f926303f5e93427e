// Rooms and messages as a server of an earlier release sends them, too: an upgrade replaces one instance after the other.

import type { LobbyRoom, Membership, Message, Room, Rooms } from "./gen/types.gen";

/** A room as the list and the state have it. Without `membership`, read marks are kept in this browser. */
export type KnownRoom = Room & { membership?: Membership | null };

/** A page of the list of rooms. Without `next`, the server sends all rooms at once. */
export type RoomPage = Pick<Partial<Rooms>, "next" | "landing"> & { rooms: KnownRoom[] };

/** News of a room. A server of an earlier release leaves out `head_seq`; the state itself knows only some of it. */
export type LobbyNews = Pick<LobbyRoom, "id"> & Partial<LobbyRoom>;

type Added = "reply_to" | "mentions" | "reactions";

/** A message whose sender may not know the fields that were added since. */
export type AnyMessage = Omit<Message, Added> & Partial<Pick<Message, Added>>;
