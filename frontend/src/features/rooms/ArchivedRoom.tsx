import { Archive } from "lucide-react";
import type { ReactNode } from "react";
import type { Room } from "../../api/gen/types.gen";
import { BlankPage } from "../../ui/BlankPage";
import { useUnsent } from "../composer/current-outbox";
import { type DraftPlace, readDraft } from "../composer/drafts";
import { KeptText } from "../timeline/KeptText";

interface ArchivedRoomProps {
  room: Room;
  viewerId: string | undefined;
  /** The message that was being edited in this room. */
  editing: string | null;
  action: ReactNode;
}

/** A room that was archived while it was open, with all typed and unsent text. */
export function ArchivedRoom({ room, viewerId, editing, action }: ArchivedRoomProps) {
  const unsent = useUnsent(viewerId, `room:${room.id}`);
  const typed = (place: DraftPlace) => (viewerId === undefined ? "" : readDraft(viewerId, place));
  const edit = editing === null ? "" : typed(`edit:${editing}`);
  const message = [...unsent.map(({ body }) => body), typed(`room:${room.id}`)].filter(Boolean).join("\n");
  return (
    <BlankPage page="Room" icon={Archive} title={`“${room.name}” was archived`} action={action}>
      <p>An admin just archived this room. Its messages are kept, and it can be restored.</p>
      {(edit !== "" || message !== "") && (
        <div className="mt-5 flex flex-col gap-3">
          {edit !== "" && <KeptText title="Your unfinished edit" text={edit} />}
          {message !== "" && <KeptText title="Your unsent message" text={message} />}
        </div>
      )}
    </BlankPage>
  );
}
