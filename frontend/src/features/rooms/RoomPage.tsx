import { CloudAlert, DoorClosed } from "lucide-react";
import { lazy, Suspense, useCallback, useState } from "react";
import type { KnownRoom } from "../../api/earlier-release";
import { sentence } from "../../api/problem";
import { loadChunk } from "../../browser/chunks";
import { shownMessages, type TimelineMessage } from "../../realtime/state";
import { useChat } from "../../realtime/store";
import { BlankPage } from "../../ui/BlankPage";
import { Button, buttonClass } from "../../ui/Button";
import { Link, useParams } from "../../ui/router";
import { useTitle } from "../../ui/use-title";
import { Composer } from "../composer/lazy";
import { ConnectionBanner } from "../connection/ConnectionBanner";
import { TypingLine } from "../people/TypingLine";
import { MutedNote, useMutedFor } from "../session/MutedNote";
import { SignInPrompt } from "../session/SignInPrompt";
import { useViewer } from "../session/use-session";
import { RoomTimeline } from "../timeline/RoomTimeline";
import { roomIdOf, seqOf } from "../timeline/room-address";
import { TimelineSkeleton } from "../timeline/separators";
import { RoomHeader } from "./RoomHeader";
import { useOpenRoom } from "./use-rooms";

const loadArchived = () => loadChunk(() => import("./ArchivedRoom"));
const ArchivedRoom = lazy(() => loadArchived().then((module) => ({ default: module.ArchivedRoom })));
const ReadOnlyRoom = lazy(() => loadArchived().then((module) => ({ default: module.ReadOnlyRoom })));

export function RoomPage() {
  const params = useParams();
  const roomId = roomIdOf(params.roomId ?? "");
  const at = seqOf(params.seq);
  const { room, isLoading, error, retry } = useOpenRoom(roomId);
  const viewerId = useViewer()?.id;
  const archived = useChat((state) => state.archived[roomId]);
  // This state outlives the open room: the page of an archived room shows the unfinished edit.
  const [edited, setEdited] = useState<{ roomId: string; messageId: string } | null>(null);
  if (edited && edited.roomId !== roomId) setEdited(null);
  const editing = edited?.messageId ?? null;
  const setEditing = useCallback(
    (messageId: string | null) => setEdited(messageId === null ? null : { roomId, messageId }),
    [roomId],
  );
  useTitle(room?.name ?? archived?.name ?? "Room");
  // A room that is archived while it is open is not replaced without a word.
  const [opened, setOpened] = useState<string | null>(null);
  if (room && opened !== room.id) setOpened(room.id);
  const isAdmin = useViewer()?.role === "admin";

  if (room) {
    return (
      <OpenRoom key={`${room.id} ${viewerId}`} room={room} at={at} editing={editing} onEdit={setEditing} />
    );
  }
  if (isLoading) return <TimelineSkeleton />;
  if (error && !archived) {
    return (
      <BlankPage
        page="Room"
        icon={CloudAlert}
        title="Could not load this room"
        action={<Button onClick={retry}>Try again</Button>}
      >
        {sentence(error)}
      </BlankPage>
    );
  }
  if (!archived) {
    return (
      <BlankPage page="Room" icon={DoorClosed} title="Room not found" action={<OtherRooms />}>
        It may have been archived, or the link is wrong.
      </BlankPage>
    );
  }
  const action = isAdmin ? (
    <Button onClick={() => setOpened(null)}>Read the archived room</Button>
  ) : (
    <OtherRooms />
  );
  return (
    <Suspense fallback={<TimelineSkeleton />}>
      {isAdmin && opened !== roomId ? (
        <ReadOnlyRoom key={roomId} room={archived} at={at} />
      ) : (
        <ArchivedRoom room={archived} viewerId={viewerId} editing={editing} action={action} />
      )}
    </Suspense>
  );
}

function OtherRooms() {
  return (
    <Link to="/" className={buttonClass()}>
      Go to rooms
    </Link>
  );
}

interface OpenRoomProps {
  room: KnownRoom;
  at: number | null;
  editing: string | null;
  onEdit(messageId: string | null): void;
}

function OpenRoom({ room, at, editing, onEdit }: OpenRoomProps) {
  const viewer = useViewer();
  const mutedForMs = useMutedFor(viewer?.muted_until);
  const lastOwn = useChat((state) => {
    const log = state.logs[room.id];
    const isOwn = ({ author, isDeleted }: TimelineMessage) => author.id === viewer?.id && !isDeleted;
    return log && shownMessages(log).findLast(isOwn)?.id;
  });
  const editLast = useCallback(() => lastOwn && onEdit(lastOwn), [lastOwn, onEdit]);

  return (
    <section aria-label={room.name} className="flex min-h-0 flex-1 flex-col">
      <RoomHeader room={room} />
      <ConnectionBanner />
      <RoomTimeline room={room} at={at} editing={editing} onEdit={onEdit} />
      <TypingLine roomId={room.id} />
      {viewer === null ? (
        <SignInPrompt />
      ) : viewer.muted_until && mutedForMs > 0 ? (
        <MutedNote until={viewer.muted_until} leftMs={mutedForMs} reason={viewer.mute_reason ?? null} />
      ) : (
        <Suspense fallback={<div className="h-17 shrink-0" />}>
          <Composer
            userId={viewer.id}
            lane={`room:${room.id}`}
            label={`Message ${room.name}`}
            onEditLast={editLast}
          />
        </Suspense>
      )}
    </section>
  );
}
