import { setTopic } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer } from "../../api/problem";
import { RoomTextDialog } from "./RoomTextDialog";

/** Sets or clears the topic of a room. */
export function RoomTopicDialog({ room, onClose }: { room: Room; onClose(): void }) {
  return (
    <RoomTextDialog
      title={`Topic of “${room.name}”`}
      label="Topic"
      field="topic"
      maxLength={250}
      initial={room.topic}
      action="Save"
      onSave={async (topic) => {
        await answer(setTopic({ path: { id: room.id }, body: { topic } }));
        onClose();
      }}
      onClose={onClose}
    />
  );
}
