import { useEffect } from "react";
import { useUnreadPeers } from "../features/direct-messages/use-conversations";
import { useUnread } from "../features/unread/use-unread";
import { useUnreadTitle } from "../ui/use-title";
import { unreadIcon } from "./unread-icon";

/** Shows the number of unread messages where a tab in the background is seen: title, icon, and the installed app. */
export function UnreadSigns() {
  const unread = useUnread();
  const peers = useUnreadPeers().size;
  const inRooms = Object.values(unread).reduce((sum, count) => sum + count, 0);
  const count = inRooms + peers;
  useUnreadTitle(count);

  // A number means private messages; a dot means messages in rooms.
  const sign = peers > 0 ? String(Math.min(peers, 9)) : inRooms > 0 ? "" : null;
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    if (link) link.href = sign === null ? "/favicon.svg" : unreadIcon(sign);
  }, [sign]);

  useEffect(() => {
    // Refused where the app is not installed.
    const change = count > 0 ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.();
    change?.catch(() => {});
  }, [count]);
  return null;
}
