import {
  Ellipsis,
  Link as LinkIcon,
  MailOpen,
  Pencil,
  Pin,
  PinOff,
  Reply,
  Smile,
  SmilePlus,
  Trash2,
} from "lucide-react";
import { lazy, Suspense, useEffect, useId, useRef, useState } from "react";
import type { Quote, Reaction } from "../../api/gen/types.gen";
import { loadChunk } from "../../browser/chunks";
import { Avatar } from "../../ui/Avatar";
import { IconButton } from "../../ui/Button";
import { isComposing } from "../../ui/keys";
import { Menu } from "../../ui/Menu";
import { quoteLine } from "../composer/quote";
import type { Entry } from "./entry";
import type { MessageActions } from "./MessageRow";
import { oftenUsed } from "./often-used";

const ReactionNames = lazy(() =>
  loadChunk(() => import("./WhoReacted")).then((module) => ({ default: module.ReactionNames })),
);

/** The message that another one answers, in one line above it. */
export function QuoteLine({ quote, onShow }: { quote: Quote; onShow(): void }) {
  const line = quoteLine(quote);
  const author = quote.author?.username;
  const text = line === null ? "Original message was deleted" : line;
  const content = (
    <>
      <Reply className="size-3.5 shrink-0 -scale-x-100" aria-hidden />
      {author !== undefined && (
        <>
          <Avatar name={author} size="tiny" />
          <span translate="no" className="max-w-40 shrink-0 truncate font-semibold">
            {author}
          </span>
        </>
      )}
      <span dir="auto" className={`truncate ${line === null ? "italic" : ""}`}>
        {text}
      </span>
    </>
  );
  const look = "flex h-6 max-w-full min-w-0 items-center gap-1.5 text-sm text-muted md:max-w-[72ch]";
  // Nothing is left of a message that was deleted because of its age.
  if (author === undefined) return <p className={look}>{content}</p>;
  return (
    <button
      type="button"
      onClick={onShow}
      aria-label={`In reply to ${author}: ${text}`}
      className={`${look} relative rounded-md text-left before:absolute before:inset-x-0 before:-inset-y-2.5 before:content-[''] hover:text-ink md:before:content-none`}
    >
      {content}
    </button>
  );
}

const PILL =
  "relative inline-flex h-7 min-w-11 items-center justify-center gap-1 rounded-full border px-2 text-sm before:absolute before:inset-x-0 before:-inset-y-2 before:content-[''] aria-disabled:cursor-default md:before:content-none";

/** The reactions to a message. A click adds or removes the reader's own. */
export function Reactions({ entry, actions }: { entry: Entry; actions: MessageActions }) {
  const { react, pickReaction } = actions;
  return (
    <fieldset aria-label="Reactions" className="mt-1 flex flex-wrap gap-1.5 gap-y-4 md:gap-1">
      {entry.reactions.map((reaction) => (
        <Pill key={reaction.emoji} entry={entry} reaction={reaction} react={react} />
      ))}
      {pickReaction && (
        <button
          type="button"
          aria-label="Add a reaction"
          title="Add a reaction"
          onClick={(event) => pickReaction(entry, event.currentTarget)}
          className={`${PILL} border-line bg-surface text-muted hover:border-edge hover:text-ink`}
        >
          <SmilePlus className="size-4" aria-hidden />
        </button>
      )}
    </fieldset>
  );
}

/** Delay until the names are shown: whoever moves across a page asks for nothing. */
const NAMES_AFTER_MS = 300;

interface PillProps {
  entry: Entry;
  reaction: Reaction;
  react: MessageActions["react"];
}

/** One reaction; who chose it is shown while it is hovered or has the focus. */
function Pill({ entry, reaction: { emoji, count, mine }, react }: PillProps) {
  const [isLookedAt, setLookedAt] = useState(false);
  const namesId = useId();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  function look() {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setLookedAt(true), NAMES_AFTER_MS);
  }

  function leave() {
    clearTimeout(timer.current);
    setLookedAt(false);
  }

  return (
    <button
      type="button"
      aria-label={`${emoji} ${count}${mine ? ", you reacted" : ""}`}
      aria-describedby={isLookedAt ? namesId : undefined}
      aria-disabled={!react || undefined}
      onClick={() => react?.(entry, emoji)}
      onPointerEnter={({ pointerType }) => pointerType === "mouse" && look()}
      onPointerLeave={leave}
      onFocus={({ currentTarget }) => currentTarget.matches(":focus-visible") && look()}
      onBlur={leave}
      onKeyDown={(event) => !isComposing(event) && event.key === "Escape" && leave()}
      className={`${PILL} ${mine ? "border-accent bg-accent-wash font-semibold text-accent" : "border-line bg-surface text-muted hover:border-edge"}`}
    >
      <span>{emoji}</span>
      <span className="tabular-nums">{count}</span>
      {isLookedAt && entry.confirmed && (
        <Suspense fallback={null}>
          <ReactionNames id={namesId} entry={entry} emoji={emoji} />
        </Suspense>
      )}
    </button>
  );
}

/** The actions on a message, beside its text while it is hovered or has the focus. */
export function Actions({ entry, actions }: { entry: Entry; actions: MessageActions }) {
  const canEdit = actions.canEdit(entry);
  const canDelete = actions.canDelete(entry);
  const { copyLink, markUnread, pin, reply, react, pickReaction, showReactions } = actions;
  const more = [
    ...(showReactions && entry.reactions.length > 0
      ? [{ label: "Who reacted", icon: Smile, onSelect: () => showReactions(entry) }]
      : []),
    ...(copyLink ? [{ label: "Copy link", icon: LinkIcon, onSelect: () => copyLink(entry) }] : []),
    ...(markUnread
      ? [{ label: "Mark unread from here", icon: MailOpen, onSelect: () => markUnread(entry) }]
      : []),
    ...(pin
      ? [
          {
            label: entry.isPinned ? "Unpin" : "Pin",
            icon: entry.isPinned ? PinOff : Pin,
            onSelect: () => pin(entry),
          },
        ]
      : []),
  ];
  if (!reply && !canEdit && !canDelete && more.length === 0) return null;
  return (
    <div className="absolute -top-3 right-0 flex rounded-xl border border-line bg-raised p-0.5 opacity-0 shadow-low transition-opacity focus-within:opacity-100 group-focus-within:opacity-100 group-hover:opacity-100">
      {react &&
        oftenUsed().map((emoji) => (
          <button
            key={emoji}
            type="button"
            aria-label={`React with ${emoji}`}
            title={`React with ${emoji}`}
            onClick={() => react(entry, emoji)}
            className="hidden size-8 place-items-center rounded-lg text-base hover:bg-surface md:group-hover:grid"
          >
            {emoji}
          </button>
        ))}
      {pickReaction && (
        <IconButton
          label="React"
          className="md:size-8"
          onClick={(event) => pickReaction(entry, event.currentTarget)}
        >
          <SmilePlus className="size-4" aria-hidden />
        </IconButton>
      )}
      {reply && (
        <IconButton label="Reply" className="md:size-8" onClick={() => reply(entry)}>
          <Reply className="size-4" aria-hidden />
        </IconButton>
      )}
      {canEdit && (
        <IconButton label="Edit message" className="md:size-8" onClick={() => actions.edit(entry)}>
          <Pencil className="size-4" aria-hidden />
        </IconButton>
      )}
      {canDelete && (
        <IconButton
          label="Delete message"
          className="hover:text-danger md:size-8"
          onClick={() => actions.remove(entry)}
        >
          <Trash2 className="size-4" aria-hidden />
        </IconButton>
      )}
      {more.length > 0 && (
        <Menu
          label="More actions"
          items={more}
          buttonClassName="inline-grid size-11 place-items-center rounded-lg text-muted hover:bg-surface hover:text-ink md:size-8"
        >
          <Ellipsis className="size-4" aria-hidden />
        </Menu>
      )}
    </div>
  );
}
