import { Lock, PenLine, Search, ShieldCheck } from "lucide-react";
import { useRef } from "react";
import { useConversations, useUnreadPeers } from "../features/direct-messages/use-conversations";
import { InboxLink } from "../features/inbox/InboxLink";
import { ENTRY, RoomList, Section } from "../features/rooms/RoomList";
import { useOpenSearch } from "../features/search/address";
import { useViewer } from "../features/session/use-session";
import { Avatar } from "../ui/Avatar";
import { Logo } from "../ui/Logo";
import { Link, NavLink, useLocation } from "../ui/router";
import { SidebarFooter } from "./SidebarFooter";

/** Number of conversations listed here; a separate page lists all of them. */
const LISTED_CONVERSATIONS = 4;

export function Sidebar() {
  const viewer = useViewer();
  const scroller = useRef<HTMLElement>(null);
  return (
    <div className="flex h-full min-h-0 flex-col bg-surface">
      <Link to="/" className="flex min-h-16 items-center gap-3 px-5 font-display text-xl font-bold">
        <Logo />
        Gapless
      </Link>
      <SearchButton />
      <nav
        ref={scroller}
        aria-label="Rooms and messages"
        className="min-h-0 flex-1 overflow-y-auto px-3 pb-4 [overflow-anchor:none]"
      >
        <div className="flex flex-col gap-4">
          {viewer && (
            <ul>
              <li>
                <InboxLink className={ENTRY} />
              </li>
            </ul>
          )}
          {viewer && <Conversations isAdmin={viewer.role === "admin"} />}
          <RoomList scroller={scroller} />
        </div>
      </nav>
      {viewer?.role === "admin" && <Administration />}
      <SidebarFooter />
    </div>
  );
}

function SearchButton() {
  const open = useOpenSearch();
  return (
    <div className="px-3 pb-3">
      <button
        type="button"
        onClick={() => open("")}
        className="flex min-h-11 w-full items-center gap-3 rounded-xl border border-line bg-ground px-3 text-left text-muted transition-colors hover:border-edge hover:text-ink md:min-h-9.5"
      >
        <Search className="size-4.5 shrink-0" aria-hidden />
        Search messages
      </button>
    </div>
  );
}

function Administration() {
  const isHere = useLocation().pathname.startsWith("/admin");
  return (
    <div className="border-t border-line px-3 py-1.5">
      <Link to="/admin/rooms" aria-current={isHere ? "page" : undefined} className={ENTRY}>
        <ShieldCheck className="size-4.5 shrink-0" aria-hidden />
        Administration
      </Link>
    </div>
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
    <Section title="Private" aside={write}>
      <ul aria-label="Private" className="flex flex-col gap-0.5">
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
      </ul>
    </Section>
  );
}
