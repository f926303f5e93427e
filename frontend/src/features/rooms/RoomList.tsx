import { Hash, Search, X } from "lucide-react";
import {
  memo,
  type ReactNode,
  type RefObject,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import { useChat } from "../../realtime/store";
import { Link } from "../../ui/router";
import { connection } from "../connection/connection";
import { type Unread, useUnread } from "../unread/use-unread";
import { onlineSentence } from "./RoomHeader";
import { loadMoreRooms, useOpenRoomId, useRoom, useRoomOrder, useRoomSearch } from "./use-rooms";
import { useVisitedRooms } from "./visited";

/** Rows kept beside the visible part: a list of usual length is rendered as a whole, for search in the page. */
const AROUND_PX = 4_000;
/** The next page is loaded when fewer rows than this are left below. */
const LEFT_ROWS = 60;
/** With at most this many rooms, a field to filter them is not worth its space. */
const FEW_ROOMS = 8;
/** Number of rooms whose unread messages are reported at once. */
const MOST_FOLLOWED = 100;

export const ENTRY =
  "group flex min-h-11 items-center gap-2.5 rounded-xl px-3 text-muted transition-colors hover:bg-raised hover:text-ink aria-[current=page]:bg-raised aria-[current=page]:font-semibold aria-[current=page]:text-ink aria-[current=page]:shadow-low md:min-h-8.5";

interface RoomListProps {
  /** The element that scrolls. */
  scroller: RefObject<HTMLElement | null>;
}

/** The rooms of the sidebar: unread ones first, then all others by name, with a field that filters them. */
export function RoomList({ scroller }: RoomListProps) {
  const [text, setText] = useState("");
  const all = useRoomOrder();
  const found = useRoomSearch(text);
  const unread = useUnread();
  const open = useOpenRoomId();
  const areMoreThere = useChat((state) => state.roomsNext !== null);
  const isSearch = text.trim() !== "";
  // The open room stays where it is while it is being read.
  const [first, rest] = useMemo(() => {
    const isFirst = (id: string) => !isSearch && (unread[id] ?? 0) > 0 && id !== open;
    return [(found ?? []).filter(isFirst), (found ?? []).filter((id) => !isFirst(id))];
  }, [found, unread, open, isSearch]);
  const [inView, setInView] = useState<readonly string[]>([]);
  const onView = useCallback(
    (ids: readonly string[]) => setInView((before) => (before.join() === ids.join() ? before : ids)),
    [],
  );
  useFollow(first, inView, all ?? []);

  return (
    <>
      {((all?.length ?? 0) > FEW_ROOMS || areMoreThere) && <FilterField text={text} onType={setText} />}
      {first.length > 0 && (
        <Section title="Unread">
          <ul aria-label="Unread rooms" className="flex flex-col gap-0.5">
            {first.map((id) => (
              <li key={id}>
                <RoomLink id={id} unread={unread[id] ?? 0} isOpen={false} />
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Section title="Rooms">
        {found === null && <RoomsSkeleton />}
        {found?.length === 0 && (
          <p className="px-3 py-2 text-muted">{isSearch ? "No room has this name." : "No rooms yet."}</p>
        )}
        <Rows
          ids={rest}
          open={open}
          unread={unread}
          scroller={scroller}
          onView={onView}
          isSearch={isSearch}
        />
      </Section>
    </>
  );
}

function FilterField({ text, onType }: { text: string; onType(text: string): void }) {
  return (
    <search className="relative px-0">
      <Search
        className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted"
        aria-hidden
      />
      <input
        type="text"
        inputMode="search"
        enterKeyHint="search"
        aria-label="Find a room"
        placeholder="Find a room"
        autoComplete="off"
        value={text}
        onChange={({ target }) => onType(target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || text === "") return;
          event.stopPropagation();
          onType("");
        }}
        className="min-h-11 w-full rounded-xl border border-line bg-raised pr-9 pl-9 text-base hover:border-edge md:min-h-9 md:text-sm"
      />
      {text !== "" && (
        <button
          type="button"
          aria-label="Clear the search"
          onClick={() => onType("")}
          className="absolute top-1/2 right-1 grid size-9 -translate-y-1/2 place-items-center rounded-lg text-muted hover:text-ink md:size-7"
        >
          <X className="size-4" aria-hidden />
        </button>
      )}
    </search>
  );
}

export function Section({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div>
      <div className="flex min-h-9 items-center justify-between px-3">
        <h2 className="text-xs font-bold tracking-wide text-muted">{title}</h2>
        {aside}
      </div>
      {children}
    </div>
  );
}

interface RowsProps {
  ids: readonly string[];
  open: string | undefined;
  unread: Unread;
  scroller: RefObject<HTMLElement | null>;
  onView(ids: readonly string[]): void;
  isSearch: boolean;
}

/** Renders the rows around the visible part, and loads further ones as the reader scrolls. */
function Rows({ ids, open, unread, scroller, onView, isSearch }: RowsProps) {
  const list = useRef<VirtualizerHandle>(null);
  const above = useRef<HTMLDivElement>(null);
  const [startMargin, setStartMargin] = useState(0);

  // The height of everything above the list, which changes without a scroll.
  useEffect(() => {
    const [box, mark] = [scroller.current, above.current];
    if (!box || !mark) return;
    const measure = () =>
      setStartMargin(mark.getBoundingClientRect().top - box.getBoundingClientRect().top + box.scrollTop);
    measure();
    const observer = new ResizeObserver(measure);
    for (const child of box.children) observer.observe(child);
    return () => observer.disconnect();
  }, [scroller]);

  const look = useCallback(() => {
    const handle = list.current;
    if (!handle) return;
    const top = handle.findItemIndex(handle.scrollOffset - startMargin);
    const bottom = handle.findItemIndex(handle.scrollOffset - startMargin + handle.viewportSize);
    onView(ids.slice(top, bottom + 1));
    if (!isSearch && bottom > ids.length - LEFT_ROWS) void loadMoreRooms();
  }, [ids, isSearch, startMargin, onView]);
  useEffect(look, [look]);

  return (
    <div ref={above}>
      <Virtualizer
        ref={list}
        scrollRef={scroller}
        startMargin={startMargin}
        bufferSize={AROUND_PX}
        itemSize={36}
        as="ul"
        item="li"
        data={ids}
        onScroll={look}
      >
        {(id) => <RoomLink key={id} id={id} unread={unread[id] ?? 0} isOpen={id === open} />}
      </Virtualizer>
    </div>
  );
}

/** Asks the stream for news of the rooms on the screen and of those visited recently. */
function useFollow(first: readonly string[], inView: readonly string[], all: readonly string[]): void {
  const visited = useVisitedRooms();
  const arePaged = useChat((state) => state.areRoomsPaged);
  useEffect(() => {
    if (!arePaged) return;
    const known = new Set(all);
    // A short list is followed as a whole, so that scrolling changes nothing.
    const shown =
      all.length <= MOST_FOLLOWED ? all : [...inView, ...visited.filter((id) => known.has(id)), ...first];
    connection.follow([...new Set(shown)].slice(0, MOST_FOLLOWED).sort());
  }, [arePaged, first, inView, visited, all]);
}

interface RoomLinkProps {
  id: string;
  unread: number;
  isOpen: boolean;
}

const RoomLink = memo(function RoomLink({ id, unread, isOpen }: RoomLinkProps) {
  const room = useRoom(id);
  const look = unread > 0 ? "font-semibold text-ink" : "";
  if (!room) return null;
  return (
    <Link
      to={`/r/${id}`}
      aria-current={isOpen ? "page" : undefined}
      title={`${room.name}: ${onlineSentence(room.online)}`}
      className={`${ENTRY} md:mb-0.5 ${look}`}
    >
      <Hash className="size-4.5 shrink-0 opacity-70" aria-hidden />
      <span className="min-w-0 flex-1 truncate">{room.name}</span>
      {unread > 0 && <UnreadBadge count={unread} mentions={room.membership?.mentions ?? 0} />}
    </Link>
  );
});

/** A plain number of unread messages, or a filled pill with the number of those to the viewer. */
function UnreadBadge({ count, mentions }: { count: number; mentions: number }) {
  const most = (number: number) => (number > 99 ? "99+" : number);
  return (
    <>
      {mentions > 0 && (
        <span className="rounded-full bg-accent px-1.5 text-xs leading-5 font-bold text-on-accent">
          <span aria-hidden>{most(mentions)}</span>
          <span className="sr-only">{mentions === 1 ? "1 mention, " : `${most(mentions)} mentions, `}</span>
        </span>
      )}
      <span className={mentions > 0 ? "sr-only" : "px-1.5 text-xs leading-5 font-bold text-muted"}>
        <span>{most(count)}</span>
        <span className="sr-only"> unread</span>
      </span>
    </>
  );
}

function RoomsSkeleton() {
  return ["w-24", "w-32", "w-20", "w-28"].map((width) => (
    <div key={width} className="flex min-h-9.5 items-center gap-3 px-3">
      <span className="skeleton size-4.5" />
      <span className={`skeleton h-3.5 ${width}`} />
    </div>
  ));
}
