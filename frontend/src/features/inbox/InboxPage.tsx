import { CheckCheck, CloudAlert, Inbox } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import { sentence } from "../../api/problem";
import { useChat } from "../../realtime/store";
import { Button } from "../../ui/Button";
import { EmptyState } from "../../ui/EmptyState";
import { OlderRows } from "../../ui/OlderRows";
import { PageHeader } from "../../ui/PageHeader";
import { showToast } from "../../ui/Toast";
import { useTitle } from "../../ui/use-title";
import { SignInFirst } from "../session/SignInFirst";
import { useViewer } from "../session/use-session";
import { TimelineSkeleton } from "../timeline/separators";
import { ItemRow } from "./ItemRow";
import { markAllItemsRead, useInboxSnapshot, useOlderItems, useUnreadItems } from "./use-inbox";

const KINDS = [
  { kind: null, label: "All", none: "Mentions, replies and private messages appear here." },
  { kind: "mention", label: "Mentions", none: "Messages that name you appear here." },
  { kind: "reply", label: "Replies", none: "Replies to your messages appear here." },
  { kind: "direct", label: "Private", none: "Private messages to you appear here." },
] as const;

/** Everything addressed to the viewer, in all rooms, newest first. */
export function InboxPage() {
  const viewer = useViewer();
  const { error, retry } = useInboxSnapshot();
  const { items, isLoaded } = useChat((state) => state.inbox);
  const unread = useUnreadItems();
  const older = useOlderItems();
  const [shown, setShown] = useState<(typeof KINDS)[number]>(KINDS[0]);
  const [isBusy, setBusy] = useState(false);
  useTitle("Inbox");
  if (!viewer) {
    return (
      <SignInFirst page="Inbox" title="Your inbox">
        Sign in to see who mentioned you or replied to you.
      </SignInFirst>
    );
  }

  async function readAll() {
    setBusy(true);
    await markAllItemsRead().catch((failure: Error) => showToast({ text: failure.message, key: "inbox" }));
    setBusy(false);
  }

  const rows = items.filter(({ kind }) => shown.kind === null || kind === shown.kind);
  return (
    <section aria-label="Inbox" className="flex min-h-0 flex-1 flex-col">
      <PageHeader
        title="Inbox"
        subtitle="Mentions, replies and private messages"
        icon={<Inbox className="size-5 shrink-0 text-accent" aria-hidden />}
        aside={
          <Button look="quiet" isBusy={isBusy} disabled={unread.size === 0} onClick={() => void readAll()}>
            <CheckCheck className="size-4.5" aria-hidden />
            All read
          </Button>
        }
      />
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would have a legend */}
      <div
        role="group"
        aria-label="Shown"
        className="flex gap-1 overflow-x-auto border-b border-line px-3 py-1.5 md:px-5"
      >
        {KINDS.map((choice) => (
          <button
            key={choice.label}
            type="button"
            aria-pressed={choice === shown}
            onClick={() => setShown(choice)}
            className="flex min-h-11 shrink-0 items-center rounded-lg px-3 text-sm font-semibold text-muted hover:bg-surface hover:text-ink aria-pressed:bg-accent-wash aria-pressed:text-accent-strong md:min-h-9"
          >
            {choice.label}
          </button>
        ))}
      </div>
      {!isLoaded && error ? (
        <EmptyState
          icon={CloudAlert}
          title="Could not load your inbox"
          action={<Button onClick={retry}>Try again</Button>}
        >
          {sentence(error)}
        </EmptyState>
      ) : !isLoaded ? (
        <TimelineSkeleton />
      ) : rows.length === 0 && !older.hasOlder ? (
        <EmptyState icon={Inbox} title="Nothing here yet">
          {shown.none}
        </EmptyState>
      ) : (
        <ul onKeyDown={walk} aria-label={shown.label} className="min-h-0 flex-1 overflow-y-auto p-2 md:p-4">
          {rows.map((item) => (
            <li key={item.pos} className="mx-auto max-w-3xl">
              <ItemRow item={item} isUnread={unread.has(item)} />
            </li>
          ))}
          <OlderRows label="Show older" older={older} />
        </ul>
      )}
    </section>
  );
}

/** Moves the focus to the next or previous row. */
function walk(event: KeyboardEvent<HTMLUListElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || event.altKey) return;
  const links = [...event.currentTarget.querySelectorAll("a")];
  const next = links[links.indexOf(document.activeElement as HTMLAnchorElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
