import { useEffect, useRef } from "react";
import { useUnreadPeers } from "../features/direct-messages/use-conversations";
import { useUnreadItems } from "../features/inbox/use-inbox";
import { markRead, readMarks, setMarks } from "../features/unread/read-marks";
import { markRoomRead, readUpTo, setRoomMark } from "../features/unread/room-marks";
import { useUnread } from "../features/unread/use-unread";
import { chat } from "../realtime/store";
import { showToast } from "../ui/Toast";
import { useUnreadTitle } from "../ui/use-title";
import { unreadIcon } from "./unread-icon";

/** Shows the number of unread messages where a tab in the background is seen: title, icon, and the installed app. */
export function UnreadSigns() {
  const unread = useUnread();
  const peers = useUnreadPeers();
  const inRooms = Object.values(unread).reduce((sum, count) => sum + count, 0);
  const count = inRooms + peers.size;
  useUnreadTitle(count);

  // A number means messages to the reader: mentions, replies and private ones; a dot means messages in rooms.
  const items = useUnreadItems();
  const inPublic = [...items].filter(({ kind }) => kind !== "direct").length;
  const personal = inPublic + peers.size;
  const sign = personal > 0 ? String(Math.min(personal, 9)) : inRooms > 0 ? "" : null;
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    if (link) link.href = sign === null ? "/favicon.svg" : unreadIcon(sign);
  }, [sign]);

  useEffect(() => {
    // Refused where the app is not installed.
    const change = count > 0 ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.();
    change?.catch(() => {});
  }, [count]);

  const all = { rooms: Object.keys(unread), peers };
  const latest = useRef(all);
  useEffect(() => {
    latest.current = all;
  });
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || !event.shiftKey || event.defaultPrevented || event.isComposing) return;
      if (!document.querySelector("dialog[open]")) markAllRead(latest.current.rooms, latest.current.peers);
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
  return null;
}

/** Marks everything as read, and offers to restore the marks. */
function markAllRead(roomIds: readonly string[], peerIds: ReadonlySet<string>): void {
  const { viewer, rooms, conversations } = chat.state;
  const read = roomIds.flatMap((id) => {
    const room = rooms?.[id];
    return room ? [{ id, mark: readUpTo(room, viewer?.id) ?? 0, head: room.head_seq }] : [];
  });
  const marks = readMarks(viewer?.id);
  const peers = [...peerIds].map(
    (id) => [`direct:${id}`, conversations[id]?.messages.at(-1)?.pos ?? 0] as const,
  );
  const before = Object.fromEntries(peers.map(([place]) => [place, marks[place] ?? 0]));
  if (read.length + peers.length === 0) return;
  for (const { id, head } of read) markRoomRead(id, head);
  markRead(viewer?.id, Object.fromEntries(peers));
  showToast({
    text: "Everything is marked as read",
    key: "unread",
    action: {
      label: "Undo",
      onSelect: () => {
        for (const { id, mark } of read) setRoomMark(id, mark);
        setMarks(viewer?.id, before);
      },
    },
  });
}
