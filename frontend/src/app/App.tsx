import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Compass } from "lucide-react";
import { lazy, Suspense, useEffect } from "react";
import { ProblemError } from "../api/problem";
import { loadChunk } from "../browser/chunks";
import { PageNotices } from "../features/connection/PageNotices";
import { RoomMenuOfAdmins } from "../features/rooms/RoomHeader";
import { RoomPage } from "../features/rooms/RoomPage";
import { BlankPage } from "../ui/BlankPage";
import { buttonClass } from "../ui/Button";
import { startFocusNet } from "../ui/focus-net";
import { BrowserRouter, Link, Redirect, type Route, Routes, useParams } from "../ui/router";
import { Failure } from "./Failure";
import { HomePage } from "./HomePage";
import { Shell } from "./Shell";

// Pages that a reading guest does not need; each is loaded on first use.
const CredentialsPage = lazy(() =>
  loadChunk(() => import("../features/session/CredentialsPage")).then((module) => ({
    default: module.CredentialsPage,
  })),
);
const ConversationsPage = lazy(() =>
  loadChunk(() => import("../features/direct-messages/ConversationsPage")).then((module) => ({
    default: module.ConversationsPage,
  })),
);
const ConversationPage = lazy(() =>
  loadChunk(() => import("../features/direct-messages/ConversationPage")).then((module) => ({
    default: module.ConversationPage,
  })),
);
const WritePage = lazy(() =>
  loadChunk(() => import("../features/direct-messages/WritePage")).then((module) => ({
    default: module.WritePage,
  })),
);
const AdminRoomsPage = lazy(() =>
  loadChunk(() => import("../features/admin/AdminRoomsPage")).then((module) => ({
    default: module.AdminRoomsPage,
  })),
);
const RoomMenu = lazy(() =>
  loadChunk(() => import("../features/admin/RoomMenu")).then((module) => ({ default: module.RoomMenu })),
);
const AdminUsersPage = lazy(() =>
  loadChunk(() => import("../features/admin/AdminUsersPage")).then((module) => ({
    default: module.AdminUsersPage,
  })),
);
const AdminInvitationsPage = lazy(() =>
  loadChunk(() => import("../features/admin/AdminInvitationsPage")).then((module) => ({
    default: module.AdminInvitationsPage,
  })),
);
const AdminAuditPage = lazy(() =>
  loadChunk(() => import("../features/admin/AdminAuditPage")).then((module) => ({
    default: module.AdminAuditPage,
  })),
);
const InboxPage = lazy(() =>
  loadChunk(() => import("../features/inbox/InboxPage")).then((module) => ({ default: module.InboxPage })),
);
const SettingsPage = lazy(() =>
  loadChunk(() => import("../features/settings/SettingsPage")).then((module) => ({
    default: module.SettingsPage,
  })),
);

/** Permanent errors are not retried; temporary ones are. */
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => failures < 3 && !(error instanceof ProblemError && !error.isTemporary),
      // `navigator.onLine` is unreliable, and waiting for it would show a skeleton instead of an error.
      networkMode: "always",
      refetchOnWindowFocus: false,
    },
  },
});

/** Pages without the shell. */
const OUTSIDE: Route[] = [
  { path: "/sign-in", page: <CredentialsPage key="in" isNew={false} /> },
  { path: "/sign-up", page: <CredentialsPage key="up" isNew /> },
];

const PAGES: Route[] = [
  { path: "/", page: <HomePage /> },
  { path: "/r/:roomId/:seq?", page: <RoomPage /> },
  { path: "/me/inbox", page: <InboxPage /> },
  { path: "/dm", page: <ConversationsPage /> },
  { path: "/dm/new", page: <WritePage /> },
  { path: "/dm/:userId", page: <ConversationPage /> },
  { path: "/me/direct/:userId", page: <DirectRedirect /> },
  { path: "/admin", page: <Redirect to="/admin/rooms" /> },
  { path: "/admin/rooms", page: <AdminRoomsPage /> },
  { path: "/admin/users", page: <AdminUsersPage /> },
  { path: "/admin/invitations", page: <AdminInvitationsPage /> },
  { path: "/admin/audit", page: <AdminAuditPage /> },
  { path: "/settings", page: <SettingsPage /> },
];

const INSIDE = (
  <RoomMenuOfAdmins value={RoomMenu}>
    <Shell>
      <Routes routes={PAGES} otherwise={<NotFound />} />
    </Shell>
  </RoomMenuOfAdmins>
);

export function App() {
  useEffect(startFocusNet, []);
  return (
    <Failure>
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <Suspense fallback={<PageNotices />}>
            <Routes routes={OUTSIDE} otherwise={INSIDE} />
          </Suspense>
        </BrowserRouter>
      </QueryClientProvider>
    </Failure>
  );
}

/** The address in notifications. */
function DirectRedirect() {
  return <Redirect to={`/dm/${useParams().userId}`} />;
}

function NotFound() {
  return (
    <BlankPage
      page="Not found"
      icon={Compass}
      title="Page not found"
      action={
        <Link to="/" className={buttonClass()}>
          Go to rooms
        </Link>
      }
    >
      There is no page at this address.
    </BlankPage>
  );
}
