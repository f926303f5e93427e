import { createRoom, renameRoom } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer } from "../../api/problem";
import { useNavigate } from "../../ui/router";
import { reportDone } from "./done";
import { RoomTextDialog } from "./RoomTextDialog";

/** Creates or renames a room. */
export function RoomNameDialog({ room, onClose }: { room?: Room; onClose(): void }) {
  const navigate = useNavigate();
  return (
    <RoomTextDialog
      title={room ? `Rename “${room.name}”` : "New room"}
      label="Name"
      field="name"
      maxLength={80}
      initial={room?.name ?? ""}
      isRequired
      action={room ? "Rename" : "Create room"}
      onSave={async (name) => {
        const body = { name };
        const named = await answer(room ? renameRoom({ path: { id: room.id }, body }) : createRoom({ body }));
        onClose();
        if (!room) navigate(`/r/${named.id}`);
        else if (named.name !== room.name) {
          const undo = () => answer(renameRoom({ path: { id: room.id }, body: { name: room.name } }));
          reportDone(`“${room.name}” is now “${named.name}”`, undo);
        }
      }}
      onClose={onClose}
    />
  );
}
