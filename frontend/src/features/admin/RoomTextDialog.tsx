import { type FormEvent, useState } from "react";
import { ProblemError, sentence } from "../../api/problem";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { TextField } from "../../ui/TextField";

interface RoomTextDialogProps {
  title: string;
  label: string;
  /** Name of the field in the request, under which the server reports a problem. */
  field: string;
  maxLength: number;
  initial: string;
  isRequired?: boolean;
  action: string;
  /** Saves the line and closes the dialog; a rejection is shown in it. */
  onSave(text: string): Promise<void>;
  onClose(): void;
}

/** Asks for one line about a room. */
export function RoomTextDialog(props: RoomTextDialogProps) {
  const [text, setText] = useState(props.initial);
  const [problem, setProblem] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    try {
      await props.onSave(text.trim());
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  const fieldProblem = problem instanceof ProblemError ? problem.fields[props.field] : undefined;
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form onSubmit={submit} className="flex flex-col gap-5">
        <TextField
          label={props.label}
          required={props.isRequired}
          maxLength={props.maxLength}
          autoFocus
          autoComplete="off"
          value={text}
          onChange={(event) => setText(event.target.value)}
          problem={problem ? (fieldProblem ?? sentence(problem)) : undefined}
        />
        <div className="flex justify-end gap-2">
          <Button look="quiet" onClick={props.onClose}>
            Cancel
          </Button>
          <Button type="submit" isBusy={isBusy} disabled={props.isRequired && text.trim() === ""}>
            {props.action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
