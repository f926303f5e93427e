import { type FormEvent, useState } from "react";
import { changePassword } from "../../api/gen/sdk.gen";
import { answer, ProblemError, sentence } from "../../api/problem";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { TextField } from "../../ui/TextField";

export function PasswordForm() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [outcome, setOutcome] = useState<"busy" | "done" | Error | null>(null);
  const fields = outcome instanceof ProblemError ? outcome.fields : {};

  async function submit(event: FormEvent) {
    event.preventDefault();
    setOutcome("busy");
    try {
      await answer(changePassword({ body: { current_password: current, new_password: next } }));
      setCurrent("");
      setNext("");
      setOutcome("done");
    } catch (error) {
      setOutcome(error instanceof Error ? error : new Error(sentence(error)));
    }
  }

  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      {outcome === "done" && (
        <Notice tone="calm">Password changed. You were signed out on your other devices.</Notice>
      )}
      {outcome instanceof Error && <Notice tone="danger">{sentence(outcome)}</Notice>}
      <TextField
        label="Current password"
        type="password"
        autoComplete="current-password"
        required
        value={current}
        onChange={(event) => setCurrent(event.target.value)}
        problem={fields.current_password}
      />
      <TextField
        label="New password"
        type="password"
        autoComplete="new-password"
        required
        minLength={8}
        maxLength={128}
        hint="At least 8 characters"
        value={next}
        onChange={(event) => setNext(event.target.value)}
        problem={fields.new_password}
      />
      <div>
        <Button type="submit" isBusy={outcome === "busy"}>
          Change password
        </Button>
      </div>
    </form>
  );
}
