import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { createRoom, renameRoom } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer, ProblemError, sentence } from "../../api/problem";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { TextField } from "../../ui/TextField";

/** Creates or renames a room. */
export function RoomNameDialog({ room, onClose }: { room?: Room; onClose(): void }) {
  const navigate = useNavigate();
  const [name, setName] = useState(room?.name ?? "");
  const [problem, setProblem] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    try {
      const body = { name: name.trim() };
      const named = await answer(room ? renameRoom({ path: { id: room.id }, body }) : createRoom({ body }));
      onClose();
      if (!room) navigate(`/r/${named.id}`);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  const fieldProblem = problem instanceof ProblemError ? problem.fields.name : undefined;
  return (
    <Dialog title={room ? `Rename “${room.name}”` : "New room"} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-5">
        <TextField
          label="Name"
          required
          maxLength={80}
          autoFocus
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
          problem={problem ? (fieldProblem ?? sentence(problem)) : undefined}
        />
        <div className="flex justify-end gap-2">
          <Button look="quiet" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" isBusy={isBusy} disabled={name.trim() === ""}>
            {room ? "Rename" : "Create room"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
