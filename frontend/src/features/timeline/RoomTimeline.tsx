import { CloudAlert } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { deleteMessage } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { withDeleted } from "../../realtime/apply";
import { chat } from "../../realtime/store";
import { Button } from "../../ui/Button";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { EmptyState } from "../../ui/EmptyState";
import { focusComposer } from "../../ui/focus-net";
import { outboxOf, useUnsent } from "../composer/current-outbox";
import { readDraft, writeDraft } from "../composer/drafts";
import { useViewer } from "../session/use-session";
import { readUpTo as markOf, markRoomRead } from "../unread/room-marks";
import { type Entry, roomEntry, withUnsent } from "./entry";
import { LostEdit } from "./LostEdit";
import { MessageEditor } from "./MessageEditor";
import type { MessageActions } from "./MessageRow";
import { MessageText } from "./MessageText";
import { RoomBeginning } from "./RoomBeginning";
import { Timeline } from "./Timeline";
import { useRoomLog } from "./use-room-log";

interface RoomTimelineProps {
  room: Room;
  editing: string | null;
  onEdit(messageId: string | null): void;
}

/** The timeline of one public room, with the actions of its reader. */
export function RoomTimeline({ room, editing, onEdit }: RoomTimelineProps) {
  const viewer = useViewer();
  const log = useRoomLog(room.id);
  const unsent = useUnsent(viewer?.id, `room:${room.id}`);
  const [deleting, setDeleting] = useState<Entry | null>(null);
  const viewerId = viewer?.id;
  // The read mark when the room was opened; the line stays there while the room is open.
  const [readUpTo] = useState(() => markOf(room, viewerId));

  const entries = useMemo(
    () => withUnsent(log.messages.map(roomEntry), unsent, viewer),
    [log.messages, unsent, viewer],
  );
  const onRead = useCallback((seq: number) => markRoomRead(room.id, seq), [room.id]);

  const actions = useMemo((): MessageActions => {
    const isOwn = (entry: Entry) => viewer !== null && entry.authorId === viewer.id;
    return {
      canEdit: isOwn,
      canDelete: (entry) => isOwn(entry) || viewer?.role === "admin",
      edit: (entry) => onEdit(entry.confirmed?.id ?? null),
      remove: setDeleting,
      retry: ({ clientId }) => viewer && outboxOf(viewer.id).retry(clientId),
      takeBack: ({ clientId, lane, body }) => {
        if (!viewer) return;
        const typed = readDraft(viewer.id, lane);
        writeDraft(viewer.id, lane, typed === "" ? body : `${body}\n${typed}`);
        outboxOf(viewer.id).takeBack(clientId);
        focusComposer();
      },
      editor: (entry) => {
        const { confirmed, body } = entry;
        if (!viewer || !confirmed || confirmed.id !== editing || body === null) return null;
        return (
          <MessageEditor
            userId={viewer.id}
            messageId={confirmed.id}
            body={body}
            onDone={() => onEdit(null)}
            onEmptied={() => setDeleting(entry)}
          />
        );
      },
    };
  }, [viewer, editing, onEdit]);

  async function remove(entry: Entry) {
    if (!entry.confirmed) return;
    const { id } = entry.confirmed;
    await answer(deleteMessage({ path: { id } }));
    chat.update((state) => withDeleted(state, { id, room_id: room.id }));
    if (id !== editing) return;
    if (viewer) writeDraft(viewer.id, `edit:${id}`, "");
    onEdit(null);
  }

  if (log.error && !log.isLoaded) {
    return (
      <EmptyState
        icon={CloudAlert}
        title="Could not load messages"
        action={<Button onClick={log.retry}>Try again</Button>}
      >
        {sentence(log.error)}
      </EmptyState>
    );
  }
  return (
    <>
      <Timeline
        label={`Messages in ${room.name}`}
        entries={entries}
        viewerId={viewerId}
        isLoaded={log.isLoaded}
        isLoadingOlder={log.isLoadingOlder}
        hasOlder={log.hasOlder}
        loadOlder={log.loadOlder}
        readUpTo={readUpTo}
        onRead={onRead}
        actions={actions}
        editing={editing}
        beginning={<RoomBeginning room={room} isEmpty={entries.length === 0} />}
      />
      {viewer && editing !== null && log.isLoaded && !isShown(entries, editing) && (
        <LostEdit userId={viewer.id} roomId={room.id} messageId={editing} onDone={() => onEdit(null)} />
      )}
      {deleting && (
        <ConfirmDialog
          title="Delete this message?"
          action="Delete message"
          onConfirm={() => remove(deleting)}
          onClose={() => setDeleting(null)}
        >
          <blockquote className="max-h-36 overflow-y-auto rounded-xl bg-surface px-4 py-3 text-ink">
            <MessageText body={deleting.body ?? ""} />
          </blockquote>
          <p>
            Its text is permanently deleted for everyone. A note that a message was deleted stays in its
            place.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}

const isShown = (entries: readonly Entry[], messageId: string) =>
  entries.some(({ confirmed, isDeleted }) => confirmed?.id === messageId && !isDeleted);
