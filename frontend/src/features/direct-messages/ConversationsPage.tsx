import { Lock, PenLine } from "lucide-react";
import { Avatar } from "../../ui/Avatar";
import { buttonClass } from "../../ui/Button";
import { briefTime } from "../../ui/dates";
import { EmptyState } from "../../ui/EmptyState";
import { OlderRows } from "../../ui/OlderRows";
import { PageHeader } from "../../ui/PageHeader";
import { Link } from "../../ui/router";
import { useTitle } from "../../ui/use-title";
import { SignInFirst } from "../session/SignInFirst";
import { useViewer } from "../session/use-session";
import { useConversations, useOlderConversations, useUnreadPeers } from "./use-conversations";

export function ConversationsPage() {
  const viewer = useViewer();
  const conversations = useConversations();
  const unread = useUnreadPeers();
  const older = useOlderConversations();
  useTitle("Private messages");
  if (!viewer) {
    return (
      <SignInFirst page="Private messages" title="Your private messages">
        Sign in to read them.
      </SignInFirst>
    );
  }

  const isAdmin = viewer.role === "admin";
  const write = isAdmin && (
    <Link to="/dm/new" className={buttonClass("private")}>
      <PenLine className="size-4.5" aria-hidden />
      New message
    </Link>
  );
  return (
    <section aria-label="Private messages" className="flex min-h-0 flex-1 flex-col">
      <div className="border-t-4 border-private">
        <PageHeader
          title="Private messages"
          subtitle="Only you and the other person can read them"
          aside={write}
        />
      </div>
      {conversations?.length === 0 ? (
        <EmptyState icon={Lock} title="No private messages yet">
          {isAdmin
            ? "Write to one or more people. Each gets a separate message."
            : "Private messages from admins appear here."}
        </EmptyState>
      ) : (
        <ul className="min-h-0 flex-1 overflow-y-auto p-2 md:p-4">
          {(conversations ?? []).map(({ user, messages }) => {
            const last = messages.at(-1);
            return (
              <li key={user.id}>
                <Link
                  to={`/dm/${user.id}`}
                  className="flex items-center gap-3 rounded-xl px-3 py-3 transition-colors hover:bg-surface"
                >
                  <Avatar name={user.username} size="large" />
                  <span className="min-w-0 flex-1">
                    <span className="flex items-baseline gap-2">
                      <span translate="no" className="truncate font-semibold">
                        {user.username}
                      </span>
                      {unread.has(user.id) && (
                        <span className="rounded-full bg-private px-2 text-xs font-bold text-on-private">
                          New
                        </span>
                      )}
                      <span className="ml-auto shrink-0 text-xs text-muted">
                        {last && briefTime(last.created_at)}
                      </span>
                    </span>
                    <span dir="auto" className="block truncate text-muted">
                      {last && `${last.sender.id === viewer.id ? "You: " : ""}${last.body}`}
                    </span>
                  </span>
                </Link>
              </li>
            );
          })}
          <OlderRows label="Show older conversations" older={older} />
        </ul>
      )}
    </section>
  );
}
