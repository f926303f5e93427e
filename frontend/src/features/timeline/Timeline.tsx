import {
  type MouseEvent,
  type ReactNode,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { Virtualizer } from "virtua";
import type { Entry } from "./entry";
import type { Folding } from "./Fold";
import { JumpButton } from "./JumpButton";
import { type MessageActions, MessageRow } from "./MessageRow";
import type { View } from "./reading";
import { type Row, timelineRows } from "./rows";
import { DayRow, NewRow, TimelineSkeleton } from "./separators";
import { UnreadBar } from "./UnreadBar";
import { useMessageKeys } from "./use-message-keys";
import { useNews } from "./use-news";
import { useReading } from "./use-reading";
import { useScroll } from "./use-scroll";
import { type Target, useTarget } from "./use-target";
import { useEscape } from "./use-window";

/** The parts of a timeline that only rooms have: a window into messages that are not all loaded. */
export interface Window {
  hasNewer: boolean;
  loadNewer(): void;
  /** Loads the newest messages if they are not. */
  loadNewest(): Promise<unknown>;
  /** Loads and shows the first message of the room. */
  toBeginning(): void;
  /** Loads and shows the first unread message. */
  toLine(): void;
  onView(view: View): void;
  /** Returns to the message from which the reader came, if any. */
  goBack?: () => void;
  /** Called when the reader comes to the end. */
  onEnd(): void;
  target: Target | null;
  beginsAtLine: boolean;
  /** The line was moved by the reader, or removed. */
  moved: { line: number | null } | null;
}

interface TimelineProps {
  /** Accessible name of the log. */
  label: string;
  entries: readonly Entry[];
  viewerId: string | undefined;
  isLoaded: boolean;
  isLoadingOlder: boolean;
  hasOlder: boolean;
  loadOlder(): void;
  /** Messages after this position are marked as new. */
  readUpTo: number | null;
  /** The current read mark, and the number of unread messages. */
  mark: number | null;
  unread: number;
  /** Called when the reader has seen everything up to this position. */
  onRead(order: number): void;
  /** Called when the reader marks everything as read. */
  onAllRead?(): void;
  window?: Window;
  actions: MessageActions;
  /** The message that is being edited, if any: it is scrolled into view, and stays in the page. */
  editing?: string | null;
  /** Shown above the very first message. */
  beginning: ReactNode;
}

export function Timeline({
  entries,
  viewerId,
  isLoaded,
  hasOlder,
  loadOlder,
  readUpTo,
  onRead,
  editing = null,
  ...rest
}: TimelineProps) {
  const { label, actions, beginning, isLoadingOlder, mark, unread, onAllRead, window: part } = rest;
  const hasNewer = part?.hasNewer ?? false;
  const lastOrder = lastConfirmed(entries)?.confirmed?.order ?? 0;
  const isWatched = useIsWatched();
  const [isAtEnd, setAtEnd] = useState(true);
  const onEnd = part?.onEnd;
  useEffect(() => {
    if (isAtEnd) onEnd?.();
  }, [isAtEnd, onEnd]);
  const isFollowing = isAtEnd && isWatched;
  const moved = part?.moved ?? null;
  const { line, isNew, unseen } = useNews({
    entries,
    viewerId,
    isLoaded,
    hasOlder,
    isFollowing,
    lastOrder,
    readUpTo,
    moved,
  });
  const rows = timelineRows(entries, isNew);
  const { loadNewer, beginsAtLine = true } = part ?? {};
  const scroll = useScroll({
    rows,
    isLoaded,
    loadOlder,
    hasNewer,
    ...(loadNewer && { loadNewer }),
    beginsAtLine,
    setAtEnd,
  });
  const isLineAbove = useReading({
    list: scroll.list,
    rows,
    isLoaded,
    hasOlder,
    mark,
    line,
    onRead,
    onView: part?.onView ?? ignore,
  });
  const since = useSince(entries, line, viewerId);

  const { toEnd, toKey } = scroll;
  const loadNewest = part?.loadNewest;
  const isJumping = useRef(false);
  const jump = useCallback(() => {
    isJumping.current = hasNewer;
    if (!hasNewer || !loadNewest) toEnd();
    else void loadNewest().then(toEnd);
  }, [hasNewer, loadNewest, toEnd]);
  // The newest messages may be rendered later than they are loaded, and until then scrolling leaves the end.
  useLayoutEffect(() => {
    if (hasNewer || !isJumping.current) return;
    isJumping.current = false;
    toEnd();
  }, [hasNewer, toEnd]);
  useScrollToOwn(entries, jump);
  const flashed = useTarget(part?.target ?? null, rows, toKey);

  const edited = editing === null ? -1 : rows.findIndex((row) => idOf(row) === editing);
  const { toRow, onLeave } = scroll;
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows that come or go do not move the reader again
  useEffect(() => {
    if (edited >= 0) toRow(edited);
  }, [editing, edited >= 0]);

  const [unfolded] = useState(() => new Set<string>());
  const folding = useMemo(() => ({ unfolded, onToggle: onLeave }), [unfolded, onLeave]);

  const keys = useMessageKeys({
    rows,
    entries,
    actions,
    scroll,
    hasOlder,
    hasNewer,
    ...(part && { toBeginning: part.toBeginning }),
    toNewest: jump,
  });
  // An Escape first marks what is unread as read.
  useEscape(unread === 0, keys.onEscape);

  function onClick(event: MouseEvent) {
    if (event.altKey && keys.markUnread(event.target)) event.preventDefault();
  }

  if (!isLoaded) return <TimelineSkeleton />;
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      {isLineAbove && unread > 0 && part && onAllRead && (
        <UnreadBar unread={unread} since={since} onJump={part.toLine} onRead={onAllRead} />
      )}
      {isLoadingOlder && !(isLineAbove && unread > 0) && (
        <p
          role="status"
          className="rise absolute inset-x-0 top-2 z-10 mx-auto w-fit rounded-full bg-raised px-3 py-1 text-sm text-muted shadow-low"
        >
          Loading earlier messages…
        </p>
      )}
      {/* The list mounts rows as it scrolls, which a live log would read out as news. At the end, what mounts is
          news; anywhere else the log is silent, and the button below tells. */}
      <div
        ref={scroll.container}
        role="log"
        aria-label={label}
        aria-live={isAtEnd ? "polite" : "off"}
        aria-relevant="additions"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
        tabIndex={0}
        data-testid="timeline"
        onWheel={({ deltaY }) => (deltaY < 0 ? scroll.onLeave() : scroll.onInput())}
        onPointerDown={() => {
          scroll.onInput();
          keys.onPointerDown();
        }}
        onTouchMove={scroll.onLeave}
        onKeyDown={keys.onKeyDown}
        onFocus={keys.onFocus}
        onClick={onClick}
        className="flex min-h-0 flex-1 flex-col overflow-y-auto overscroll-contain [overflow-anchor:none] focus-visible:outline-offset-[-2px]"
      >
        <div className="flex-1" />
        {!hasOlder && entries.length === 0 && (
          <>
            <div className="column">{beginning}</div>
            {/* What an empty room shows is in its upper third. */}
            <div className="flex-2" />
          </>
        )}
        <div ref={scroll.content}>
          <Virtualizer
            ref={scroll.list}
            scrollRef={scroll.container}
            shift={scroll.isPrepend}
            keepMounted={[edited, keys.chosenRow].filter((index) => index >= 0)}
            onScroll={scroll.onScroll}
            data={rows}
          >
            {(row, index) => (
              <div key={row.key} className="column">
                {index === 0 && !hasOlder && beginning}
                <TimelineRow
                  row={row}
                  actions={actions}
                  folding={folding}
                  viewerId={viewerId}
                  isLast={index === rows.length - 1}
                  isFlashing={row.key === flashed}
                  isChosen={index === keys.chosenRow}
                />
              </div>
            )}
          </Virtualizer>
        </div>
      </div>
      <JumpButton
        isShown={!isAtEnd}
        unseen={hasNewer ? 0 : unseen}
        unread={unread}
        onJump={jump}
        {...(part?.goBack && { onBack: part.goBack })}
      />
    </div>
  );
}

interface TimelineRowProps {
  row: Row<Entry>;
  actions: MessageActions;
  folding: Folding;
  viewerId: string | undefined;
  isLast: boolean;
  isFlashing: boolean;
  isChosen: boolean;
}

function TimelineRow({ row, viewerId, ...rest }: TimelineRowProps) {
  switch (row.kind) {
    case "day":
      return <DayRow date={row.date} />;
    case "new":
      return <NewRow />;
    case "message":
      return (
        <MessageRow
          entry={row.message}
          isFirstOfRun={row.isFirstOfRun}
          isOwn={row.message.authorId === viewerId}
          isForReader={row.message.mentions.some(({ id }) => id === viewerId)}
          {...rest}
        />
      );
  }
}

const idOf = (row: Row<Entry>) => (row.kind === "message" ? row.message.confirmed?.id : undefined);

const ignore = () => {};

/** When the first message after the line was written; kept once it is known, since its page may be dropped. */
function useSince(
  entries: readonly Entry[],
  line: number | null,
  viewerId: string | undefined,
): string | null {
  const known = useRef<{ line: number; at: string } | null>(null);
  if (line === null) return null;
  if (known.current?.line !== line) {
    const first = entries.findIndex(({ confirmed }) => confirmed !== null && confirmed.order > line);
    const isWhole = first > 0 || entries[0]?.confirmed?.order === line + 1;
    const news = entries.slice(Math.max(0, first)).find(({ authorId }) => authorId !== viewerId);
    known.current = isWhole && news ? { line, at: news.writtenAt } : null;
  }
  return known.current?.at ?? null;
}

/** Scrolls to the end after sending, so that the author sees the message. */
function useScrollToOwn(entries: readonly Entry[], toEnd: () => void): void {
  const newest = entries.at(-1);
  const sending = newest?.unsent ? newest.key : null;
  const previous = useRef(sending);
  useEffect(() => {
    if (sending !== null && sending !== previous.current) toEnd();
    previous.current = sending;
  }, [sending, toEnd]);
}

/** Returns whether the page is visible: a page in the background reads nothing. */
function useIsWatched(): boolean {
  const [isWatched, setWatched] = useState(() => document.visibilityState === "visible");
  useEffect(() => {
    const update = () => setWatched(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", update);
    return () => document.removeEventListener("visibilitychange", update);
  }, []);
  return isWatched;
}

function lastConfirmed(entries: readonly Entry[]): Entry | undefined {
  return entries.findLast(({ confirmed }) => confirmed !== null);
}
