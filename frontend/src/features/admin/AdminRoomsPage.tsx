import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { Archive, ArchiveRestore, Hash, Plus, Star } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { archiveRoom, listRooms, restoreRoom } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { useChat } from "../../realtime/store";
import { Button, IconButton } from "../../ui/Button";
import { counted } from "../../ui/dates";
import { EmptyState } from "../../ui/EmptyState";
import { LoadMore } from "../../ui/LoadMore";
import { Notice } from "../../ui/Notice";
import { Link, useLocation, useSearchParams } from "../../ui/router";
import { onlineSentence } from "../rooms/RoomHeader";
import { loadMoreRooms, useRooms } from "../rooms/use-rooms";
import { AdminPage } from "./AdminPage";
import { reportDone } from "./done";
import { makeLandingRoom } from "./landing-room";
import { NEW_ROOM } from "./new-room";
import { keptSentence } from "./RetentionDialog";
import { RoomMenu } from "./RoomMenu";
import { RoomNameDialog } from "./RoomNameDialog";

export function AdminRoomsPage() {
  const query = useSearchParams();
  const location = useLocation();
  const [isCreating, setCreating] = useState(false);
  const archived = useArchivedRooms();
  const isArchive = query.get("show") === "archived";

  // Each visit by such a link has another key, also if the page is open already.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key identifies the visit
  useEffect(() => {
    if (location.state?.task === NEW_ROOM.task) setCreating(true);
  }, [location.key]);

  const create = (
    <Button onClick={() => setCreating(true)}>
      <Plus className="size-4.5" aria-hidden />
      New room
    </Button>
  );
  return (
    <AdminPage title="Rooms" aside={create}>
      <nav aria-label="Rooms shown" className="mb-2 flex gap-1">
        <Tab to="/admin/rooms" isCurrent={!isArchive}>
          Active
        </Tab>
        <Tab to="/admin/rooms?show=archived" isCurrent={isArchive}>
          {archived.rooms && archived.rooms.length > 0
            ? `Archived (${archived.rooms.length}${archived.more ? "+" : ""})`
            : "Archived"}
        </Tab>
      </nav>
      {isArchive ? <ArchivedRooms {...archived} /> : <ActiveRooms />}
      {isCreating && <RoomNameDialog onClose={() => setCreating(false)} />}
    </AdminPage>
  );
}

async function restore(room: Room): Promise<void> {
  await answer(restoreRoom({ path: { id: room.id } }));
  reportDone(`“${room.name}” was restored`, () => answer(archiveRoom({ path: { id: room.id } })));
}

function Tab({ to, isCurrent, children }: { to: string; isCurrent: boolean; children: ReactNode }) {
  return (
    <Link
      to={to}
      aria-current={isCurrent ? "page" : undefined}
      className="flex min-h-11 items-center rounded-lg px-3 text-sm font-semibold text-muted hover:bg-surface hover:text-ink aria-[current=page]:bg-accent-wash aria-[current=page]:text-accent-strong md:min-h-9"
    >
      {children}
    </Link>
  );
}

function ActiveRooms() {
  const rooms = useRooms();
  const areMoreThere = useChat((state) => state.roomsNext !== null);
  const [isLoading, setLoading] = useState(false);
  const loadMore = () => {
    setLoading(true);
    void loadMoreRooms().finally(() => setLoading(false));
  };
  if (rooms?.length === 0) {
    return (
      <EmptyState icon={Hash} title="No rooms yet">
        Create the first one. Everyone will see it right away.
      </EmptyState>
    );
  }
  return (
    <>
      <ul aria-label="Active rooms" className="divide-y divide-line">
        {(rooms ?? []).map((room) => (
          <li key={room.id} className="flex items-center gap-2 py-2">
            <div className="min-w-0 flex-1">
              <Link to={`/r/${room.id}`} className="block truncate font-semibold hover:text-accent">
                {room.name}
              </Link>
              <p className="truncate text-sm text-muted">{factsOf(room).join(" · ")}</p>
            </div>
            <LandingStar room={room} />
            <RoomMenu room={room} />
          </li>
        ))}
      </ul>
      {areMoreThere && <LoadMore label="Show more rooms" isLoading={isLoading} onLoad={loadMore} />}
    </>
  );
}

/** The star of the landing room: newcomers and guests begin there. */
function LandingStar({ room }: { room: Room }) {
  const { landing } = room;
  // A server of an earlier release has no landing room.
  if (landing === undefined) return null;
  return (
    <IconButton
      label={`Landing room: ${room.name}`}
      title={landing ? "The landing room: newcomers begin here" : "Make this the landing room"}
      aria-pressed={landing}
      onClick={() => !landing && void makeLandingRoom(room)}
      className="aria-pressed:text-accent"
    >
      <Star className={`size-4.5 ${landing ? "fill-current" : ""}`} aria-hidden />
    </IconButton>
  );
}

function factsOf({ head_seq, online, retention_days, landing, indexable }: Room): string[] {
  return [
    ...(landing ? ["Landing room"] : []),
    counted(head_seq, "message"),
    ...(online.users + online.guests > 0 ? [onlineSentence(online)] : []),
    ...(retention_days === null ? [] : [keptSentence(retention_days)]),
    ...(indexable === false ? ["hidden from search engines"] : []),
  ];
}

interface Archived {
  rooms: Room[] | undefined;
  error: Error | null;
  /** The next page, if there is one. */
  more: { isLoading: boolean; hasFailed: boolean; load(): void } | null;
}

function useArchivedRooms(): Archived {
  const version = useChat((state) => state.roomsVersion);
  const client = useQueryClient();
  const list = useInfiniteQuery({
    queryKey: ["rooms", "archived"],
    queryFn: ({ pageParam }) => answer(listRooms({ query: { archived: true, ...pageParam } })),
    initialPageParam: {},
    getNextPageParam: ({ next }) => (next ? { after: next } : undefined),
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: every change of a room, by whomever, may change this list
  useEffect(() => {
    void client.invalidateQueries({ queryKey: ["rooms", "archived"] });
  }, [client, version]);
  const rooms = list.data?.pages.flatMap((page) => page.rooms.filter((room) => room.is_archived));
  const more = {
    isLoading: list.isFetchingNextPage,
    hasFailed: list.isFetchNextPageError,
    load: () => void list.fetchNextPage(),
  };
  return { rooms, error: list.error, more: list.hasNextPage ? more : null };
}

function ArchivedRooms({ rooms, error, more }: Archived) {
  const [problem, setProblem] = useState<string | null>(null);
  const shown = problem ?? (error && sentence(error));
  return (
    <>
      {shown && <Notice tone="danger">{shown}</Notice>}
      {rooms?.length === 0 && (
        <EmptyState icon={Archive} title="No archived rooms">
          Archived rooms keep their messages, and can be restored from here.
        </EmptyState>
      )}
      <ul aria-label="Archived rooms" className="divide-y divide-line">
        {(rooms ?? []).map((room) => (
          <li key={room.id} className="flex items-center gap-2 py-2">
            <div className="min-w-0 flex-1">
              <Link
                to={`/r/${room.id}`}
                className="block truncate font-semibold text-muted hover:text-accent"
              >
                {room.name}
              </Link>
              <p className="text-sm text-muted">{counted(room.head_seq, "message")}</p>
            </div>
            <Button
              look="quiet"
              aria-label={`Restore ${room.name}`}
              onClick={() =>
                restore(room).then(
                  () => setProblem(null),
                  (error) => setProblem(sentence(error)),
                )
              }
            >
              <ArchiveRestore className="size-4.5" aria-hidden />
              Restore
            </Button>
          </li>
        ))}
      </ul>
      {more && (
        <LoadMore
          label="Show more rooms"
          isLoading={more.isLoading}
          hasFailed={more.hasFailed}
          onLoad={more.load}
        />
      )}
    </>
  );
}
