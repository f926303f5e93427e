import { Hash, Search } from "lucide-react";
import { type ComponentType, createContext, lazy, Suspense, useContext, useSyncExternalStore } from "react";
import type { KnownRoom } from "../../api/earlier-release";
import type { Room } from "../../api/gen/types.gen";
import { loadChunk } from "../../browser/chunks";
import { IconButton } from "../../ui/Button";
import { PageHeader } from "../../ui/PageHeader";
import { ConnectionBadge } from "../connection/ConnectionBadge";
import { isHereOpen, toggleHere } from "../people/panel";
import { inRoom, useOpenSearch } from "../search/address";
import { useViewer } from "../session/use-session";
import { RoomLevel } from "./RoomLevel";

const PinsButton = lazy(() =>
  loadChunk(() => import("./PinsButton")).then((module) => ({ default: module.PinsButton })),
);

/** Set by the app: the menu of a room for admins. */
export const RoomMenuOfAdmins = createContext<ComponentType<{ room: Room }> | null>(null);

export function RoomHeader({ room }: { room: KnownRoom }) {
  const search = useOpenSearch();
  const isAdmin = useViewer()?.role === "admin";
  const Menu = useContext(RoomMenuOfAdmins);
  return (
    <PageHeader
      icon={<Hash className="hidden size-5 shrink-0 text-accent md:block" aria-hidden />}
      title={room.name}
      lead={<HereButton online={room.online} />}
      {...(room.topic && { subtitle: room.topic })}
      aside={
        <>
          <ConnectionBadge />
          <RoomLevel room={room} />
          <Suspense fallback={null}>
            <PinsButton room={room} />
          </Suspense>
          <IconButton label="Search in this room" onClick={() => search(inRoom(room))}>
            <Search className="size-5" aria-hidden />
          </IconButton>
          {Menu && isAdmin && !room.is_archived && (
            <Suspense fallback={<span className="size-11 shrink-0 md:size-9" />}>
              <Menu room={room} />
            </Suspense>
          )}
        </>
      }
    />
  );
}

/** The number of people in the room opens the list of them. */
function HereButton({ online }: { online: Room["online"] }) {
  const isOpen = useSyncExternalStore(isHereOpen.subscribe, () => isHereOpen.current);
  return (
    <button
      type="button"
      aria-expanded={isOpen}
      title="Who is here"
      onClick={toggleHere}
      className="relative min-w-0 rounded before:absolute before:-inset-x-2 before:-top-3.5 before:-bottom-3 before:content-[''] hover:text-ink hover:underline aria-expanded:text-ink md:before:inset-0"
    >
      <span className="block truncate">{hereSentence(online)}</span>
    </button>
  );
}

/** In the open room the reader is one of those who are counted. */
export function hereSentence(online: Room["online"]): string {
  return online.users + online.guests <= 1 ? "Only you here" : onlineSentence(online);
}

/** "3 people and 1 guest here" */
export function onlineSentence({ users, guests }: Room["online"]): string {
  const people = users === 1 ? "1 person" : `${users} people`;
  const visitors = guests === 1 ? "1 guest" : `${guests} guests`;
  if (users === 0 && guests === 0) return "Nobody here right now";
  if (guests === 0) return `${people} here`;
  return users === 0 ? `${visitors} here` : `${people} and ${visitors} here`;
}
