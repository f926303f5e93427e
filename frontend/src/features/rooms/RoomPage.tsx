import { CloudAlert, DoorClosed } from "lucide-react";
import { useCallback, useState } from "react";
import { Link, useParams } from "react-router";
import type { Room } from "../../api/gen/types.gen";
import { sentence } from "../../api/problem";
import { shownMessages, type TimelineMessage } from "../../realtime/state";
import { useChat } from "../../realtime/store";
import { BlankPage } from "../../ui/BlankPage";
import { Button, buttonClass } from "../../ui/Button";
import { useTitle } from "../../ui/use-title";
import { Composer } from "../composer/Composer";
import { ConnectionBanner } from "../connection/ConnectionBanner";
import { MutedNote, useMutedFor } from "../session/MutedNote";
import { SignInPrompt } from "../session/SignInPrompt";
import { useViewer } from "../session/use-session";
import { RoomTimeline } from "../timeline/RoomTimeline";
import { TimelineSkeleton } from "../timeline/separators";
import { ArchivedRoom } from "./ArchivedRoom";
import { RoomHeader } from "./RoomHeader";
import { useOpenRoom } from "./use-rooms";

export function RoomPage() {
  const { roomId = "" } = useParams();
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
  useTitle(room?.name ?? "Room");

  if (room) {
    return <OpenRoom key={`${room.id} ${viewerId}`} room={room} editing={editing} onEdit={setEditing} />;
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
  return archived ? (
    <ArchivedRoom room={archived} viewerId={viewerId} editing={editing} action={<OtherRooms />} />
  ) : (
    <BlankPage page="Room" icon={DoorClosed} title="Room not found" action={<OtherRooms />}>
      It may have been archived, or the link is wrong.
    </BlankPage>
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
  room: Room;
  editing: string | null;
  onEdit(messageId: string | null): void;
}

function OpenRoom({ room, editing, onEdit }: OpenRoomProps) {
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
      <RoomTimeline room={room} editing={editing} onEdit={onEdit} />
      {viewer === null ? (
        <SignInPrompt />
      ) : viewer.muted_until && mutedForMs > 0 ? (
        <MutedNote until={viewer.muted_until} leftMs={mutedForMs} reason={viewer.mute_reason ?? null} />
      ) : (
        <Composer
          userId={viewer.id}
          lane={`room:${room.id}`}
          label={`Message ${room.name}`}
          onEditLast={editLast}
        />
      )}
    </section>
  );
}
