import { Hash, Lock, PenLine, Settings, ShieldCheck } from "lucide-react";
import type { ReactNode } from "react";
import { Link, NavLink } from "react-router";
import { useConversations, useUnreadPeers } from "../features/direct-messages/use-conversations";
import { useRooms } from "../features/rooms/use-rooms";
import { useViewer } from "../features/session/use-session";
import { useUnread } from "../features/unread/use-unread";
import { Avatar } from "../ui/Avatar";
import { Logo } from "../ui/Logo";
import { SidebarFooter } from "./SidebarFooter";

const ENTRY =
  "group flex min-h-11 items-center gap-2.5 rounded-xl px-3 text-muted transition-colors hover:bg-raised hover:text-ink aria-[current=page]:bg-raised aria-[current=page]:font-semibold aria-[current=page]:text-ink aria-[current=page]:shadow-low md:min-h-9.5";

/** Number of conversations listed here; a separate page lists all of them. */
const LISTED_CONVERSATIONS = 6;

export function Sidebar() {
  const viewer = useViewer();
  return (
    <div className="flex h-full min-h-0 flex-col bg-surface">
      <Link to="/" className="flex min-h-16 items-center gap-3 px-5 font-display text-xl font-bold">
        <Logo />
        Gapless
      </Link>
      <nav
        aria-label="Rooms and messages"
        className="flex min-h-0 flex-1 flex-col gap-6 overflow-y-auto px-3 pb-4"
      >
        <Rooms />
        {viewer && <Conversations isAdmin={viewer.role === "admin"} />}
        {viewer?.role === "admin" && (
          <Group title="Administration">
            <li>
              <NavLink to="/admin/rooms" className={ENTRY}>
                <Settings className="size-4.5 shrink-0" aria-hidden />
                Rooms
              </NavLink>
            </li>
            <li>
              <NavLink to="/admin/users" className={ENTRY}>
                <ShieldCheck className="size-4.5 shrink-0" aria-hidden />
                People
              </NavLink>
            </li>
          </Group>
        )}
      </nav>
      <SidebarFooter />
    </div>
  );
}

function Group({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <div>
      <div className="flex min-h-9 items-center justify-between px-3">
        <h2 className="text-xs font-bold tracking-wide text-muted">{title}</h2>
        {aside}
      </div>
      <ul aria-label={title} className="flex flex-col gap-0.5">
        {children}
      </ul>
    </div>
  );
}

function Rooms() {
  const rooms = useRooms();
  const unread = useUnread(rooms);
  return (
    <Group title="Rooms">
      {rooms === null && <RoomsSkeleton />}
      {rooms?.length === 0 && <li className="px-3 py-2 text-muted">No rooms yet.</li>}
      {(rooms ?? []).map(({ id, name, online }) => {
        const count = unread[id] ?? 0;
        const here = online.users + online.guests;
        return (
          <li key={id}>
            <NavLink to={`/r/${id}`} className={`${ENTRY} ${count > 0 ? "font-semibold text-ink" : ""}`}>
              <Hash className="size-4.5 shrink-0 opacity-70" aria-hidden />
              <span className="min-w-0 flex-1 truncate">{name}</span>
              {count > 0 && <UnreadBadge count={count} />}
              {here > 0 && (
                <span className="flex items-center gap-1.5 text-xs font-medium text-muted">
                  <span className="size-1.5 rounded-full bg-accent" aria-hidden />
                  <span>{here}</span>
                  <span className="sr-only"> online</span>
                </span>
              )}
            </NavLink>
          </li>
        );
      })}
    </Group>
  );
}

function UnreadBadge({ count }: { count: number }) {
  return (
    <span className="rounded-full bg-accent px-1.5 text-xs leading-5 font-bold text-on-accent">
      <span>{count > 99 ? "99+" : count}</span>
      <span className="sr-only"> unread</span>
    </span>
  );
}

function Conversations({ isAdmin }: { isAdmin: boolean }) {
  const conversations = useConversations();
  const unread = useUnreadPeers();
  const write = isAdmin && (
    <Link
      to="/dm/new"
      aria-label="New private message"
      title="New private message"
      className="grid size-9 place-items-center rounded-lg text-muted hover:bg-raised hover:text-ink"
    >
      <PenLine className="size-4" aria-hidden />
    </Link>
  );
  return (
    <Group title="Private" aside={write}>
      {(conversations ?? []).slice(0, LISTED_CONVERSATIONS).map(({ user }) => (
        <li key={user.id}>
          <NavLink
            to={`/dm/${user.id}`}
            className={`${ENTRY} ${unread.has(user.id) ? "font-semibold text-ink" : ""}`}
          >
            <Avatar name={user.username} size="small" />
            <span translate="no" className="min-w-0 flex-1 truncate">
              {user.username}
            </span>
            {unread.has(user.id) && (
              <span className="rounded-full bg-private px-2 text-xs leading-5 font-bold text-on-private">
                New
              </span>
            )}
          </NavLink>
        </li>
      ))}
      <li>
        <NavLink to="/dm" end className={ENTRY}>
          <Lock className="size-4.5 shrink-0 text-private" aria-hidden />
          All private messages
        </NavLink>
      </li>
    </Group>
  );
}

function RoomsSkeleton() {
  return ["w-24", "w-32", "w-20", "w-28"].map((width) => (
    <li key={width} className="flex min-h-9.5 items-center gap-3 px-3">
      <span className="skeleton size-4.5" />
      <span className={`skeleton h-3.5 ${width}`} />
    </li>
  ));
}
