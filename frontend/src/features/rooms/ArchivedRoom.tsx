import { Archive, ArchiveRestore } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { KnownRoom } from "../../api/earlier-release";
import { restoreRoom } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { BlankPage } from "../../ui/BlankPage";
import { showToast } from "../../ui/Toast";
import { useUnsent } from "../composer/current-outbox";
import { type DraftPlace, readDraft } from "../composer/drafts";
import { toNames } from "../composer/mention-text";
import { ConnectionBanner } from "../connection/ConnectionBanner";
import { KeptText } from "../timeline/KeptText";
import { RoomTimeline } from "../timeline/RoomTimeline";
import { RoomHeader } from "./RoomHeader";

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
  const message = [...unsent.map(({ body, mentions }) => toNames(body, mentions)), typed(`room:${room.id}`)]
    .filter(Boolean)
    .join("\n");
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

const ignore = () => {};

/** An archived room as an admin reads it: nothing can be written or changed. */
export function ReadOnlyRoom({ room, at }: { room: KnownRoom; at: number | null }) {
  const [isBusy, setBusy] = useState(false);

  async function restore() {
    setBusy(true);
    try {
      await answer(restoreRoom({ path: { id: room.id } }));
      showToast({ text: `“${room.name}” was restored` });
    } catch (error) {
      showToast({ text: sentence(error) });
      setBusy(false);
    }
  }

  return (
    <section aria-label={room.name} className="flex min-h-0 flex-1 flex-col">
      <RoomHeader room={room} />
      <div
        role="note"
        className="flex items-center justify-center gap-2 bg-waiting-wash px-4 py-1 text-sm font-medium text-waiting"
      >
        <Archive className="size-4 shrink-0" aria-hidden />
        <span>Archived</span>
        <span aria-hidden>·</span>
        <button
          type="button"
          aria-disabled={isBusy || undefined}
          onClick={() => !isBusy && void restore()}
          className="flex min-h-11 items-center gap-1.5 font-semibold underline underline-offset-4 md:min-h-8"
        >
          <ArchiveRestore className="size-4" aria-hidden />
          Restore
        </button>
      </div>
      <ConnectionBanner />
      <RoomTimeline room={room} at={at} isReadOnly editing={null} onEdit={ignore} />
    </section>
  );
}
