// The viewer's inbox: mentions, replies and private messages. Pure, like `apply`.

import type { AnyMessage } from "../api/earlier-release";
import type { DirectMessage, InboxItem, InboxRoom, Message, Inbox as Page } from "../api/gen/types.gen";
import type { ChatState } from "./state";

interface RoomItem extends InboxItem {
  kind: "mention" | "reply";
  message: Message;
  room: InboxRoom;
}

interface DirectItem extends InboxItem {
  kind: "direct";
  message: DirectMessage;
}

/** An item as it is shown. */
export type Item = RoomItem | DirectItem;

export interface Inbox {
  /** Newest first, without a gap down to `next`. */
  items: readonly Item[];
  /** The place where the list continues; null at its end. */
  next: string | null;
  isLoaded: boolean;
  /** Position up to which the viewer has marked everything as read here. */
  readTo: number;
}

const changed = (state: ChatState, change: Partial<Inbox>): ChatState => ({
  ...state,
  inbox: { ...state.inbox, ...change },
});

/** A newer release may send kinds that this one does not know: those are left out. */
function isKnown(item: InboxItem): item is Item {
  return item.kind === "direct" ? "sender" in item.message : "seq" in item.message && Boolean(item.room);
}

/** Sets the first page. Older items are dropped, since changes to them may have been missed. */
export function withInbox(state: ChatState, page: Page): ChatState {
  const newest = page.items[0]?.pos ?? 0;
  const newer = state.inbox.items.filter(({ pos }) => pos > newest);
  return changed(state, {
    items: [...newer, ...page.items.filter(isKnown)],
    next: page.next,
    isLoaded: true,
  });
}

/** Adds the page that was requested by `cursor`. */
export function withMoreInbox(state: ChatState, page: Page, cursor: string): ChatState {
  if (state.inbox.next !== cursor) return state;
  return changed(state, { items: [...state.inbox.items, ...page.items.filter(isKnown)], next: page.next });
}

/** Adds an item from the stream. The room's number of mentions follows. */
export function withInboxItem(state: ChatState, item: InboxItem): ChatState {
  const { items } = state.inbox;
  if (!isKnown(item) || items.some(({ pos }) => pos === item.pos)) return state;
  const others = items.filter(({ message }) => message.id !== item.message.id);
  const sorted = [...others, item].sort((a, b) => b.pos - a.pos);
  return withMentions(changed(state, { items: sorted }), item, 1);
}

/** Counts one unread mention more or less in the item's room. */
function withMentions(state: ChatState, item: Item, step: 1 | -1): ChatState {
  if (item.kind === "direct") return state;
  const room = state.rooms?.[item.room.id];
  if (!room?.membership || item.message.seq <= room.membership.read_seq) return state;
  const mentions = Math.max(0, room.membership.mentions + step);
  return {
    ...state,
    rooms: { ...state.rooms, [room.id]: { ...room, membership: { ...room.membership, mentions } } },
  };
}

/** A private message to the viewer is in the inbox as well. */
export function withInboxDirect(state: ChatState, message: DirectMessage): ChatState {
  if (message.recipient.id !== state.viewer?.id || !state.conversations[message.sender.id]) return state;
  const { pos, created_at: at } = message;
  return withInboxItem(state, { kind: "direct", pos, message, at, read: false });
}

/** An edited message is shown as it is now, and leaves the inbox if it no longer mentions the viewer. */
export function withInboxEdit(state: ChatState, message: AnyMessage): ChatState {
  const item = state.inbox.items.find((item) => item.message.id === message.id);
  if (!item || item.kind === "direct") return state;
  const names = ({ mentions = [] }: AnyMessage) => mentions.some(({ id }) => id === state.viewer?.id);
  const isGone = item.kind === "mention" && names(item.message) && !names(message);
  const edited = { ...item, message: { ...item.message, ...message } };
  const items = state.inbox.items.flatMap((other) => (other !== item ? [other] : isGone ? [] : [edited]));
  return changed(state, { items });
}

/** A deleted message leaves the inbox. */
export function withoutInboxMessage(state: ChatState, id: string): ChatState {
  const item = state.inbox.items.find(({ message }) => message.id === id);
  if (!item) return state;
  return withMentions(
    changed(state, { items: state.inbox.items.filter((other) => other !== item) }),
    item,
    -1,
  );
}

/** Removes what an erased user wrote. */
export function withoutInboxOf(state: ChatState, userId: string): ChatState {
  const author = (item: Item) => (item.kind === "direct" ? item.message.sender : item.message.author);
  const items = state.inbox.items.filter((item) => author(item).id !== userId);
  return items.length === state.inbox.items.length ? state : changed(state, { items });
}

export function withInboxRead(state: ChatState, pos: number): ChatState {
  return pos > state.inbox.readTo ? changed(state, { readTo: pos }) : state;
}
