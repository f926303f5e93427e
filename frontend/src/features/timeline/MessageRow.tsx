import { Pin } from "lucide-react";
import { type ReactElement, Suspense } from "react";
import { AdminMark } from "../../ui/AdminMark";
import { Avatar } from "../../ui/Avatar";
import { clockTime, fullTime } from "../../ui/dates";
import { Link } from "../../ui/router";
import type { Unsent } from "../composer/outbox-records";
import { useIsAdmin } from "../people/admins";
import type { Entry } from "./entry";
import { Fold, type Folding } from "./Fold";
import { MessageText } from "./MessageText";
import { Actions, QuoteLine, Reactions } from "./row-extras";
import { UnsentNote } from "./UnsentNote";

/** Actions that the reader may take on messages; absent ones are not shown. */
export interface MessageActions {
  canEdit(entry: Entry): boolean;
  canDelete(entry: Entry): boolean;
  edit(entry: Entry): void;
  remove(entry: Entry): void;
  retry(unsent: Unsent): void;
  /** Moves an unsent message from the timeline back to the composer. */
  takeBack(unsent: Unsent): void;
  /** Marks a message and everything after it as unread. */
  markUnread?(entry: Entry): void;
  copyLink?(entry: Entry): void;
  /** Pins a message in its room, or unpins it. */
  pin?(entry: Entry): void;
  /** Address of a message. */
  linkTo?(entry: Entry): string;
  /** Begins a reply, or invites a guest to join. */
  reply?(entry: Entry): void;
  /** Adds or removes the reader's reaction, or invites a guest to join. */
  react?(entry: Entry, emoji: string): void;
  /** Opens the picker of reactions beside `anchor`. */
  pickReaction?(entry: Entry, anchor: Element): void;
  /** Shows who reacted to a message. */
  showReactions?(entry: Entry): void;
  /** Shows the message that another one answers. */
  showOriginal?(entry: Entry): void;
  /** Rendered in place of a message while it is edited. */
  editor(entry: Entry): ReactElement | null;
}

interface MessageRowProps {
  entry: Entry;
  isFirstOfRun: boolean;
  isOwn: boolean;
  isLast: boolean;
  isFlashing: boolean;
  /** True for the message that was chosen by key. */
  isChosen: boolean;
  /** True if it mentions the reader. */
  isForReader: boolean;
  actions: MessageActions;
  folding: Folding;
}

export function MessageRow({
  entry,
  isFirstOfRun,
  isOwn,
  isLast,
  isFlashing,
  isChosen,
  isForReader,
  actions,
  folding,
}: MessageRowProps) {
  const editor = actions.editor(entry);
  const isWaiting = entry.unsent !== null;
  const isAdmin = useIsAdmin(entry.authorId);
  return (
    <article
      // Tab leads to the chosen message. On touch screens, which cannot hover, focus reveals the actions.
      tabIndex={isChosen ? 0 : -1}
      data-row={entry.key}
      aria-label={`${entry.author.username}, ${clockTime(entry.writtenAt)}`}
      data-thread={isWaiting ? "pending" : undefined}
      data-message={entry.confirmed?.id}
      data-state={entry.unsent ? (entry.unsent.refusal ? "failed" : "pending") : "sent"}
      className={`thread group grid grid-cols-[3.75rem_minmax(0,1fr)] pr-4 focus-visible:-outline-offset-2 ${isForReader ? "bg-accent-wash [--thread:var(--accent)]" : "hover:bg-surface focus-within:bg-surface"} ${isFirstOfRun ? "pt-2.5" : "pt-0.5"} ${isLast ? "pb-4" : "pb-0.5"} ${isFlashing ? "flash" : ""}`}
    >
      <div className="relative flex justify-center">
        {isFirstOfRun ? (
          <span
            className={`h-fit rounded-full ring-4 ${isForReader ? "ring-accent-wash" : "ring-ground group-focus-within:ring-surface group-hover:ring-surface"}`}
          >
            <Avatar name={entry.author.username} />
          </span>
        ) : (
          <span
            aria-hidden
            className={`invisible ${isForReader ? "bg-accent-wash" : "bg-surface"} py-0.5 text-[0.6875rem] leading-5 text-muted group-hover:visible`}
          >
            <Time entry={entry} actions={actions} tabIndex={-1} />
          </span>
        )}
        {entry.isPinned && !isFirstOfRun && (
          <span className="absolute top-1.5 right-0.5">
            <PinMark />
          </span>
        )}
      </div>
      <div className="relative min-w-0">
        {isFirstOfRun && (
          <header className="flex items-baseline gap-2">
            <span translate="no" className="truncate font-semibold">
              {entry.author.username}
            </span>
            {isAdmin && (
              <span className="inline-flex self-center">
                <AdminMark />
              </span>
            )}
            {isOwn && <span className="text-xs font-medium text-muted">you</span>}
            <span className="shrink-0 text-xs text-muted">
              <Time entry={entry} actions={actions} />
            </span>
            {entry.isPinned && <PinMark />}
          </header>
        )}
        {entry.replyTo && (
          <Suspense fallback={<div className="h-6" />}>
            <QuoteLine quote={entry.replyTo} onShow={() => actions.showOriginal?.(entry)} />
          </Suspense>
        )}
        {editor ?? <Body entry={entry} folding={folding} />}
        {entry.reactions.length > 0 && (
          <Suspense fallback={<div className="mt-1 h-7" />}>
            <Reactions entry={entry} actions={actions} />
          </Suspense>
        )}
        {entry.unsent && <UnsentNote unsent={entry.unsent} actions={actions} />}
        {!editor && entry.confirmed && !entry.isDeleted && (
          <Suspense fallback={null}>
            <Actions entry={entry} actions={actions} />
          </Suspense>
        )}
      </div>
    </article>
  );
}

function PinMark() {
  return (
    <span role="img" aria-label="Pinned" title="Pinned" className="shrink-0 self-center text-accent">
      <Pin className="size-3" aria-hidden />
    </span>
  );
}

/** The time of a message, as a link to it where it has an address. */
function Time({ entry, actions, ...rest }: { entry: Entry; actions: MessageActions; tabIndex?: number }) {
  const path = entry.confirmed ? actions.linkTo?.(entry) : undefined;
  const time = (
    <time dateTime={entry.writtenAt} title={fullTime(entry.writtenAt)}>
      {clockTime(entry.writtenAt)}
    </time>
  );
  if (!path) return time;
  return (
    <Link
      to={path}
      // The text of a `time` element is not part of the link's name.
      aria-label={`Link to this message, ${clockTime(entry.writtenAt)}`}
      className="hover:text-ink hover:underline"
      {...rest}
    >
      {time}
    </Link>
  );
}

function Body({ entry, folding }: { entry: Entry; folding: Folding }) {
  if (entry.isDeleted) return <p className="italic text-muted">This message was deleted.</p>;
  return (
    <div className={`w-fit max-w-full md:max-w-[72ch] ${entry.unsent ? "text-muted" : ""}`}>
      <Fold id={entry.key} text={entry.body ?? ""} folding={folding}>
        <MessageText body={entry.body ?? ""} mentions={entry.mentions} />
      </Fold>
      {entry.isEdited && <span className="text-xs text-muted">edited</span>}
    </div>
  );
}
