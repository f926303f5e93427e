import { Menu as MenuIcon } from "lucide-react";
import {
  lazy,
  type ReactNode,
  Suspense,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { ProblemError } from "../api/problem";
import { loadChunk } from "../browser/chunks";
import { SignOutQuestion } from "../features/composer/SignOut";
import { connection } from "../features/connection/connection";
import { PageNotices } from "../features/connection/PageNotices";
import { useConversationsSnapshot, useUnreadPeers } from "../features/direct-messages/use-conversations";
import { useInboxSnapshot } from "../features/inbox/use-inbox";
import { LazyNotifications } from "../features/notifications/lazy";
import { KeptNote } from "../features/offline/KeptNote";
import { useKept } from "../features/offline/use-kept";
import { isHereOpen } from "../features/people/panel";
import { useOpenRoomId, useRoomsSnapshot, useVisitedSnapshot } from "../features/rooms/use-rooms";
import { noteVisit } from "../features/rooms/visited";
import { useSearchText } from "../features/search/address";
import { useViewerSnapshot } from "../features/session/use-viewer-snapshot";
import { Shortcuts } from "../features/switcher/Shortcuts";
import { useLocalMarks, useUnread } from "../features/unread/use-unread";
import { IconButton } from "../ui/Button";
import { useIsWide, useMedia } from "../ui/media";
import { NavigationButton } from "../ui/PageHeader";
import { useLocation } from "../ui/router";
import { Toasts } from "../ui/Toast";
import { Sidebar } from "./Sidebar";
import { UnreadSigns } from "./UnreadSigns";

const SearchPanel = lazy(() =>
  loadChunk(() => import("../features/search/SearchPanel")).then((module) => ({
    default: module.SearchPanel,
  })),
);

const HerePanel = lazy(() =>
  loadChunk(() => import("../features/people/HerePanel")).then((module) => ({ default: module.HerePanel })),
);

/** From this width on, the search is beside the page; otherwise it covers it. */
const ROOMY = "(min-width: 72rem)";

/** The layout of every screen: the sidebar beside it, or behind a button on narrow screens. */
export function Shell({ children }: { children: ReactNode }) {
  const roomId = useOpenRoomId();
  const isWide = useIsWide();
  const isRoomy = useMedia(ROOMY);
  const search = useSearchText();
  const isSearching = search !== null;
  const isHere = useSyncExternalStore(isHereOpen.subscribe, () => isHereOpen.current);
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const { pathname } = useLocation();
  const { failureReason } = useRoomsSnapshot();
  useKept(failureReason instanceof ProblemError && failureReason.isTemporary);
  useConversationsSnapshot();
  useViewerSnapshot();
  useInboxSnapshot();
  useVisitedSnapshot();
  useLocalMarks();

  useEffect(() => {
    if (roomId) noteVisit(roomId);
    connection.look(roomId ? [roomId] : []);
    void connection.start();
  }, [roomId]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: going anywhere closes the drawer
  useEffect(() => setDrawerOpen(false), [pathname, isSearching]);

  return (
    <div className="flex h-dvh overflow-hidden">
      <a
        href="#main"
        className="absolute top-2 left-2 z-50 -translate-y-20 rounded-xl bg-accent px-4 py-3 font-semibold text-on-accent focus-visible:translate-y-0"
      >
        Skip to content
      </a>
      {isWide && (
        <aside className="w-68 shrink-0 border-r border-line lg:w-76">
          <Sidebar />
        </aside>
      )}
      {!isWide && isDrawerOpen && <Drawer onClose={() => setDrawerOpen(false)} />}
      <div className="relative flex min-w-0 flex-1">
        <main
          id="main"
          tabIndex={-1}
          inert={isSearching && !isRoomy}
          className="flex min-w-0 flex-1 flex-col outline-none"
        >
          <PageNotices />
          <KeptNote roomId={roomId} />
          <NavigationButton value={isWide ? null : <OpenDrawer onOpen={() => setDrawerOpen(true)} />}>
            {children}
          </NavigationButton>
        </main>
        {isSearching ? (
          <Suspense fallback={null}>
            <SearchPanel text={search} isBeside={isRoomy} />
          </Suspense>
        ) : (
          roomId &&
          isHere && (
            <Suspense fallback={null}>
              <HerePanel roomId={roomId} isBeside={isRoomy} />
            </Suspense>
          )
        )}
      </div>
      <Toasts />
      <SignOutQuestion />
      <UnreadSigns />
      <LazyNotifications roomId={roomId} />
      <Shortcuts />
    </div>
  );
}

function OpenDrawer({ onOpen }: { onOpen(): void }) {
  const roomId = useOpenRoomId();
  const unread = useUnread();
  const unreadPeers = useUnreadPeers();
  const isElsewhere = useMemo(
    () => unreadPeers.size > 0 || Object.keys(unread).some((id) => id !== roomId),
    [unread, unreadPeers, roomId],
  );
  return (
    <IconButton label={isElsewhere ? "Rooms and messages (unread)" : "Rooms and messages"} onClick={onOpen}>
      <span className="relative">
        <MenuIcon className="size-5.5" aria-hidden />
        {isElsewhere && (
          <span className="absolute -top-0.5 -right-1 size-2.5 rounded-full bg-accent ring-2 ring-ground" />
        )}
      </span>
    </IconButton>
  );
}

/** A modal `<dialog>`, so that focus stays inside and Escape closes. */
function Drawer({ onClose }: { onClose(): void }) {
  const ref = useRef<HTMLDialogElement>(null);
  // A layout effect closes the dialog while it is still in the page; only then is the focus restored.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a modal dialog by itself
    <dialog
      ref={ref}
      aria-label="Rooms and messages"
      onClose={onClose}
      onClick={(event) => event.target === event.currentTarget && onClose()}
      className="slide m-0 h-dvh max-h-none w-[min(20rem,86vw)] border-r border-line p-0 text-ink shadow-float"
    >
      <Sidebar />
    </dialog>
  );
}
