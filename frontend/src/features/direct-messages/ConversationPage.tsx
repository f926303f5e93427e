import { CloudAlert, Lock, UserX } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import type { Author, User } from "../../api/gen/types.gen";
import { sentence } from "../../api/problem";
import { useServerTraits } from "../../api/use-server-traits";
import { useChat } from "../../realtime/store";
import { Avatar } from "../../ui/Avatar";
import { BlankPage } from "../../ui/BlankPage";
import { Button, buttonClass } from "../../ui/Button";
import { Foot } from "../../ui/Foot";
import { focusComposer } from "../../ui/focus-net";
import { PageHeader } from "../../ui/PageHeader";
import { Link, useLocation, useParams } from "../../ui/router";
import { useTitle } from "../../ui/use-title";
import { Composer } from "../composer/Composer";
import { outboxOf, useUnsent } from "../composer/current-outbox";
import { readDraft, writeDraft } from "../composer/drafts";
import { ConnectionBadge } from "../connection/ConnectionBadge";
import { ConnectionBanner } from "../connection/ConnectionBanner";
import { SignInFirst } from "../session/SignInFirst";
import { useViewer } from "../session/use-session";
import { directEntry, withUnsent } from "../timeline/entry";
import type { MessageActions } from "../timeline/MessageRow";
import { Timeline } from "../timeline/Timeline";
import { markRead, readMarks, useReadMarks } from "../unread/read-marks";
import { useConversation } from "./use-conversations";

/** In place of a name, until the first message tells it. */
const UNKNOWN = "Private conversation";

export function ConversationPage() {
  const { userId = "" } = useParams();
  const viewer = useViewer();
  const known = useChat((state) => state.conversations[userId]?.user);
  const hasMessages = useChat((state) => (state.conversations[userId]?.messages.length ?? 0) > 0);
  // A person just picked from a list has a name even if the conversation has no messages yet.
  const picked: unknown = useLocation().state?.username;
  const name = typeof picked === "string" ? picked : undefined;
  const username = hasMessages ? known?.username : (name ?? known?.username);
  const peer = useMemo(() => ({ id: userId, username: username ?? UNKNOWN }), [userId, username]);
  useTitle(peer.username);
  if (!viewer) {
    return (
      <SignInFirst page="Private messages" title="Your private messages">
        Sign in to read them.
      </SignInFirst>
    );
  }
  return (
    <OpenConversation
      key={`${viewer.id} ${userId}`}
      viewer={viewer}
      peer={peer}
      isPicked={name !== undefined}
    />
  );
}

function OpenConversation({ viewer, peer, isPicked }: { viewer: User; peer: Author; isPicked: boolean }) {
  const log = useConversation(peer);
  const place = `direct:${peer.id}` as const;
  const unsent = useUnsent(viewer.id, place);
  const { dm_replies: repliesAllowed } = useServerTraits();
  const [readUpTo] = useState(() => readMarks(viewer.id)[place] ?? null);
  const mark = useReadMarks(viewer.id)[place] ?? null;
  const messages = log.conversation?.messages;
  const entries = useMemo(
    () => withUnsent((messages ?? []).map(directEntry), unsent, viewer),
    [messages, unsent, viewer],
  );
  const onRead = useCallback((pos: number) => markRead(viewer.id, { [place]: pos }), [viewer.id, place]);
  const canWrite = viewer.role === "admin" || repliesAllowed === true;

  // The address of nobody, or of somebody who never wrote; the server does not tell them apart.
  if (!isPicked && log.isLoaded && entries.length === 0) {
    return (
      <BlankPage
        page="Private messages"
        icon={UserX}
        title="No such conversation"
        action={
          <Link to={viewer.role === "admin" ? "/dm/new" : "/dm"} className={buttonClass("private")}>
            {viewer.role === "admin" ? "New private message" : "Your private messages"}
          </Link>
        }
      >
        You have no messages with anybody at this address.
      </BlankPage>
    );
  }
  if (log.error && !log.isLoaded) {
    return (
      <BlankPage
        page={peer.username}
        icon={CloudAlert}
        title="Could not load this conversation"
        action={<Button onClick={log.retry}>Try again</Button>}
      >
        {sentence(log.error)}
      </BlankPage>
    );
  }
  return (
    <section
      aria-label={`Private conversation with ${peer.username}`}
      className="flex min-h-0 flex-1 flex-col [--thread:color-mix(in_srgb,var(--private)_45%,var(--ground))]"
    >
      <div className="border-t-4 border-private">
        <PageHeader
          icon={<Avatar name={peer.username} />}
          title={peer.username}
          subtitle="Private: only the two of you can read this"
          aside={<ConnectionBadge />}
        />
      </div>
      <ConnectionBanner />
      <Timeline
        label={`Private messages with ${peer.username}`}
        entries={entries}
        viewerId={viewer.id}
        isLoaded={log.isLoaded}
        isLoadingOlder={log.isLoadingOlder}
        hasOlder={log.hasOlder}
        loadOlder={log.loadOlder}
        readUpTo={readUpTo}
        mark={mark}
        unread={0}
        onRead={onRead}
        actions={directActions(viewer)}
        beginning={<Beginning peer={peer} />}
      />
      {canWrite ? (
        <Composer userId={viewer.id} lane={place} label={`Private message to ${peer.username}`} isPrivate />
      ) : (
        <Foot look="bg-private-wash text-sm font-medium text-private">
          <Lock className="size-4.5 shrink-0" aria-hidden />
          Only admins can send private messages here, so you cannot reply.
        </Foot>
      )}
    </section>
  );
}

/** Direct messages cannot be edited or deleted. */
function directActions(viewer: User): MessageActions {
  return {
    canEdit: () => false,
    canDelete: () => false,
    edit: () => {},
    remove: () => {},
    retry: ({ clientId }) => outboxOf(viewer.id).retry(clientId),
    takeBack: ({ clientId, lane, body }) => {
      const typed = readDraft(viewer.id, lane);
      writeDraft(viewer.id, lane, typed === "" ? body : `${body}\n${typed}`);
      outboxOf(viewer.id).takeBack(clientId);
      focusComposer();
    },
    editor: () => null,
  };
}

function Beginning({ peer }: { peer: Author }) {
  return (
    <div className="px-5 pt-10 pb-4">
      <span className="mb-3 grid size-12 place-items-center rounded-2xl bg-private-wash text-private">
        <Lock className="size-6" aria-hidden />
      </span>
      <h2 className="text-2xl font-bold foreign">{peer.username}</h2>
      <p className="mt-1 text-muted">{`Only you and ${peer.username} can read these messages.`}</p>
    </div>
  );
}
