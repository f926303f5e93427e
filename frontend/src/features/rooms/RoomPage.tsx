import { Archive, DoorClosed, MessageCircleOff } from "lucide-react";
import { useCallback, useState } from "react";
import { Link, useParams } from "react-router";
import type { Room } from "../../api/gen/types.gen";
import { useChat } from "../../realtime/store";
import { BlankPage } from "../../ui/BlankPage";
import { buttonClass } from "../../ui/Button";
import { shortTime } from "../../ui/dates";
import { Foot } from "../../ui/Foot";
import { useTitle } from "../../ui/use-title";
import { Composer } from "../composer/Composer";
import { ConnectionBanner } from "../connection/ConnectionBanner";
import { SignInPrompt } from "../session/SignInPrompt";
import { useViewer } from "../session/use-session";
import { RoomTimeline } from "../timeline/RoomTimeline";
import { TimelineSkeleton } from "../timeline/separators";
import { RoomHeader } from "./RoomHeader";
import { useRoom } from "./use-rooms";

export function RoomPage() {
  const { roomId = "" } = useParams();
  const room = useRoom(roomId);
  const viewerId = useViewer()?.id;
  const archived = useChat((state) => state.archived[roomId]);
  const areRoomsLoaded = useChat((state) => state.rooms !== null);
  useTitle(room?.name ?? "Room");

  if (room) return <OpenRoom key={`${room.id} ${viewerId}`} room={room} />;
  if (!areRoomsLoaded) return <TimelineSkeleton />;
  return archived ? (
    <BlankPage page="Room" icon={Archive} title={`“${archived.name}” was archived`} action={<OtherRooms />}>
      An admin has just closed this room. Its messages are kept, and it can be restored.
    </BlankPage>
  ) : (
    <BlankPage page="Room" icon={DoorClosed} title="No such room" action={<OtherRooms />}>
      It may have been archived, or the address is wrong.
    </BlankPage>
  );
}

function OtherRooms() {
  return (
    <Link to="/" className={buttonClass()}>
      To the other rooms
    </Link>
  );
}

function OpenRoom({ room }: { room: Room }) {
  const viewer = useViewer();
  const [editing, setEditing] = useState<string | null>(null);
  const lastOwn = useChat((state) =>
    state.logs[room.id]?.messages.findLast(({ author, isDeleted }) => author.id === viewer?.id && !isDeleted),
  );
  const editLast = useCallback(() => lastOwn && setEditing(lastOwn.id), [lastOwn]);

  return (
    <section aria-label={room.name} className="flex min-h-0 flex-1 flex-col">
      <RoomHeader room={room} />
      <ConnectionBanner />
      <RoomTimeline room={room} editing={editing} onEdit={setEditing} />
      {viewer === null ? (
        <SignInPrompt roomName={room.name} />
      ) : isMuted(viewer.muted_until) ? (
        <MutedNote until={viewer.muted_until ?? ""} reason={viewer.mute_reason ?? null} />
      ) : (
        <Composer
          userId={viewer.id}
          lane={`room:${room.id}`}
          label={`Write to ${room.name}`}
          onEditLast={editLast}
        />
      )}
    </section>
  );
}

const isMuted = (until: string | null | undefined) => Boolean(until) && Date.parse(until ?? "") > Date.now();

function MutedNote({ until, reason }: { until: string; reason: string | null }) {
  return (
    <Foot look="bg-waiting-wash text-sm font-medium text-waiting">
      <MessageCircleOff className="size-5 shrink-0" aria-hidden />
      <span role="status" className="[overflow-wrap:anywhere]">
        An admin has muted you until {shortTime(until)}
        {reason ? `: ${reason}` : "."} You can go on reading.
      </span>
    </Foot>
  );
}
