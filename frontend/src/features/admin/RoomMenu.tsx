import { Archive, Ellipsis, Globe, Hourglass, MessageSquareText, Pencil, Star } from "lucide-react";
import { useState } from "react";
import { archiveRoom, restoreRoom, setIndexable } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { Menu } from "../../ui/Menu";
import { showToast } from "../../ui/Toast";
import { reportDone } from "./done";
import { makeLandingRoom } from "./landing-room";
import { RetentionDialog } from "./RetentionDialog";
import { RoomNameDialog } from "./RoomNameDialog";
import { RoomTopicDialog } from "./RoomTopicDialog";

/** The actions of an admin on an active room: in the list of rooms, and in the room itself. */
export function RoomMenu({ room }: { room: Room }) {
  const [task, setTask] = useState<"rename" | "topic" | "retention" | "archive" | null>(null);
  const close = () => setTask(null);
  return (
    <>
      <Menu
        label={`Actions for ${room.name}`}
        items={[
          { label: "Rename…", icon: Pencil, onSelect: () => setTask("rename") },
          { label: "Edit topic…", icon: MessageSquareText, onSelect: () => setTask("topic") },
          { label: "Message retention…", icon: Hourglass, onSelect: () => setTask("retention") },
          // A server of an earlier release has no landing room, and lets search engines list every room.
          ...(room.landing === false
            ? [{ label: "Make landing room", icon: Star, onSelect: () => void makeLandingRoom(room) }]
            : []),
          ...(room.indexable === undefined
            ? []
            : [
                {
                  label: "Let search engines list this room",
                  icon: Globe,
                  isChecked: room.indexable,
                  onSelect: () => void index(room),
                },
              ]),
          { label: "Archive…", icon: Archive, onSelect: () => setTask("archive") },
        ]}
        buttonClassName="grid size-11 place-items-center rounded-lg text-muted hover:bg-surface hover:text-ink md:size-9"
      >
        <Ellipsis className="size-5" aria-hidden />
      </Menu>
      {task === "rename" && <RoomNameDialog room={room} onClose={close} />}
      {task === "topic" && <RoomTopicDialog room={room} onClose={close} />}
      {task === "retention" && <RetentionDialog room={room} onClose={close} />}
      {task === "archive" && (
        <ConfirmDialog
          title={`Archive “${room.name}”?`}
          action="Archive room"
          look="solid"
          onConfirm={() => archive(room)}
          onClose={close}
        >
          <p>
            The room disappears from every list, and people in it are told right away. Its messages are kept,
            and you can restore it under Administration › Rooms.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}

async function archive(room: Room): Promise<void> {
  await answer(archiveRoom({ path: { id: room.id } }));
  reportDone(`“${room.name}” was archived`, () => answer(restoreRoom({ path: { id: room.id } })));
}

/** Switches whether search engines may list the room. */
async function index(room: Room): Promise<void> {
  const set = (indexable: boolean) => answer(setIndexable({ path: { id: room.id }, body: { indexable } }));
  try {
    await set(!room.indexable);
    const text = room.indexable
      ? `Search engines are asked not to list “${room.name}”`
      : `Search engines may list “${room.name}”`;
    reportDone(text, () => set(room.indexable));
  } catch (error) {
    showToast({ text: "Could not change this room", detail: sentence(error) });
  }
}
