import { Avatar } from "../../ui/Avatar";
import { Dialog } from "../../ui/Dialog";
import { useViewer } from "../session/use-session";
import type { Entry } from "./entry";
import { namesSentence, useWhoReacted, viewerFirst } from "./who-reacted";

/** Names beside a reaction that is hovered or has the focus. */
export function ReactionNames({ id, entry, emoji }: { id: string; entry: Entry; emoji: string }) {
  const viewerId = useViewer()?.id;
  const { data } = useWhoReacted(entry.confirmed?.id ?? "", entry.reactions);
  const found = data?.find((reaction) => reaction.emoji === emoji);
  if (!found || found.users.length === 0) return null;
  return (
    <span
      id={id}
      role="tooltip"
      dir="auto"
      className="foreign pointer-events-none absolute bottom-full left-0 z-20 mb-1.5 w-max max-w-60 rounded-lg bg-ink px-2.5 py-1.5 text-left text-xs font-medium text-ground shadow-float"
    >
      {namesSentence(found, viewerId)}
    </span>
  );
}

/** All names, by emoji. */
export function WhoReacted({ entry, onClose }: { entry: Entry; onClose(): void }) {
  const viewerId = useViewer()?.id;
  const { data, isError } = useWhoReacted(entry.confirmed?.id ?? "", entry.reactions);
  return (
    <Dialog title="Reactions" onClose={onClose}>
      {data ? (
        <div className="flex flex-col gap-5">
          {data.length === 0 && <p className="text-muted">Nobody reacted to this message.</p>}
          {data.map(({ emoji, count, users }) => (
            <section key={emoji} aria-label={`${emoji} ${count}`}>
              <h3 className="mb-1 text-lg">
                <span>{emoji}</span>
                <span className="pl-1.5 text-sm font-semibold text-muted tabular-nums">{count}</span>
              </h3>
              <ul>
                {viewerFirst(users, viewerId).map(({ id, username }) => (
                  <li key={id} className="flex min-h-10 items-center gap-2.5">
                    <Avatar name={username} size="small" />
                    <span translate="no" className="truncate font-medium">
                      {username}
                    </span>
                    {id === viewerId && <span className="text-xs font-medium text-muted">you</span>}
                  </li>
                ))}
              </ul>
              {count > users.length && (
                <p className="pt-1 text-sm text-muted">{`and ${count - users.length} more`}</p>
              )}
            </section>
          ))}
        </div>
      ) : (
        <p className="text-muted">{isError ? "Could not load who reacted." : "Loading…"}</p>
      )}
    </Dialog>
  );
}
