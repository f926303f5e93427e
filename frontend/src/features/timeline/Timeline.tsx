import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { Virtualizer } from "virtua";
import type { Entry } from "./entry";
import type { Folding } from "./Fold";
import { JumpButton } from "./JumpButton";
import { type MessageActions, MessageRow } from "./MessageRow";
import { type Row, timelineRows } from "./rows";
import { DayRow, NewRow, TimelineSkeleton } from "./separators";
import { useNews } from "./use-news";
import { useScroll } from "./use-scroll";

/** Keys that scroll up when pressed on the log itself. */
const LEAVING_KEYS = new Set(["ArrowUp", "PageUp", "Home"]);

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
  /** Called when the reader has seen everything up to this position. */
  onRead(order: number): void;
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
  const { label, actions, beginning, isLoadingOlder } = rest;
  const lastOrder = lastConfirmed(entries)?.confirmed?.order ?? 0;
  const isWatched = useIsWatched();
  const [isAtEnd, setAtEnd] = useState(true);
  const isFollowing = isAtEnd && isWatched;
  const { isNew, unseen } = useNews({ entries, viewerId, isLoaded, isFollowing, lastOrder, readUpTo });
  const rows = timelineRows(entries, isNew);
  const scroll = useScroll({ rows, isLoaded, loadOlder, setAtEnd });

  useEffect(() => {
    if (isLoaded && isFollowing) onRead(lastOrder);
  }, [isLoaded, isFollowing, lastOrder, onRead]);

  useScrollToOwn(entries, scroll.toEnd);

  const edited = editing === null ? -1 : rows.findIndex((row) => idOf(row) === editing);
  const { toRow, onLeave } = scroll;
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows that come or go do not move the reader again
  useEffect(() => {
    if (edited >= 0) toRow(edited);
  }, [editing, edited >= 0]);

  const [unfolded] = useState(() => new Set<string>());
  const folding = useMemo(() => ({ unfolded, onToggle: onLeave }), [unfolded, onLeave]);

  if (!isLoaded) return <TimelineSkeleton />;
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      {isLoadingOlder && (
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
        onPointerDown={scroll.onInput}
        onTouchMove={scroll.onLeave}
        onKeyDown={({ key, target, currentTarget }) =>
          target === currentTarget && (LEAVING_KEYS.has(key) ? scroll.onLeave() : scroll.onInput())
        }
        className="flex min-h-0 flex-1 flex-col overflow-y-auto overscroll-contain [overflow-anchor:none] focus-visible:outline-offset-[-2px]"
      >
        <div className="flex-1" />
        {!hasOlder && entries.length === 0 && <div className="column">{beginning}</div>}
        <div ref={scroll.content}>
          <Virtualizer
            ref={scroll.list}
            scrollRef={scroll.container}
            shift={scroll.isPrepend}
            {...(edited >= 0 && { keepMounted: [edited] })}
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
                />
              </div>
            )}
          </Virtualizer>
        </div>
      </div>
      <JumpButton isShown={!isAtEnd} unseen={unseen} onJump={scroll.toEnd} />
    </div>
  );
}

interface TimelineRowProps {
  row: Row<Entry>;
  actions: MessageActions;
  folding: Folding;
  viewerId: string | undefined;
  isLast: boolean;
}

function TimelineRow({ row, actions, folding, viewerId, isLast }: TimelineRowProps) {
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
          isLast={isLast}
          actions={actions}
          folding={folding}
        />
      );
  }
}

const idOf = (row: Row<Entry>) => (row.kind === "message" ? row.message.confirmed?.id : undefined);

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
