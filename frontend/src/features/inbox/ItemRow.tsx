import type { Item } from "../../realtime/inbox";
import { Avatar } from "../../ui/Avatar";
import { briefTime, fullTime } from "../../ui/dates";
import { Link } from "../../ui/router";
import { plainText } from "../timeline/plain-text";
import { messagePath } from "../timeline/room-address";

/** One item: a link to its message. */
export function ItemRow({ item, isUnread }: { item: Item; isUnread: boolean }) {
  const isPrivate = item.kind === "direct";
  const { username } = isPrivate ? item.message.sender : item.message.author;
  const path = isPrivate ? `/dm/${item.message.sender.id}` : messagePath(item.room, item.message.seq);
  return (
    <Link
      to={path}
      state={isPrivate ? { username } : undefined}
      className="flex gap-3 rounded-xl px-3 py-3 transition-colors hover:bg-surface"
    >
      <Avatar name={username} />
      <span className="min-w-0 flex-1">
        <span className="flex items-baseline gap-2">
          <span className={`foreign min-w-0 flex-1 ${isUnread ? "" : "text-muted"}`}>
            <b translate="no" className={isUnread ? "" : "font-semibold"}>
              {username}
            </b>{" "}
            <span className={isPrivate ? "text-private" : "text-muted"}>{happened(item)}</span>{" "}
          </span>
          <time dateTime={item.at} title={fullTime(item.at)} className="shrink-0 text-xs text-muted">
            {briefTime(item.at)}
          </time>
          {isUnread && (
            <span
              className={`size-2.5 shrink-0 self-center rounded-full ${isPrivate ? "bg-private" : "bg-accent"}`}
            >
              <span className="sr-only">Unread</span>
            </span>
          )}
        </span>{" "}
        <span dir="auto" className={`foreign line-clamp-2 ${isUnread ? "" : "text-muted"}`}>
          {plainText(item.message.body ?? "", item.message)}
        </span>
      </span>
    </Link>
  );
}

function happened(item: Item): string {
  if (item.kind === "direct") return "wrote to you privately";
  return `${item.kind === "reply" ? "replied to you" : "mentioned you"} in #${item.room.name}`;
}
