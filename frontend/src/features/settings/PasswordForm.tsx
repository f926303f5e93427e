import { type FormEvent, useState } from "react";
import { changePassword } from "../../api/gen/sdk.gen";
import { answer, ProblemError, sentence } from "../../api/problem";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { PasswordField } from "../../ui/PasswordField";
import { isValidPassword, PASSWORD_RULE } from "../session/rules";

export function PasswordForm() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [outcome, setOutcome] = useState<"busy" | "done" | Error | null>(null);
  const [isChecked, setChecked] = useState(false);
  const refused = outcome instanceof ProblemError ? outcome.fields : {};
  const isRefused = Boolean(refused.current_password || refused.new_password);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setChecked(true);
    if (current === "" || !isValidPassword(next)) return;
    setOutcome("busy");
    try {
      await answer(changePassword({ body: { current_password: current, new_password: next } }));
      setCurrent("");
      setNext("");
      setChecked(false);
      setOutcome("done");
    } catch (error) {
      setOutcome(error instanceof Error ? error : new Error(sentence(error)));
    }
  }

  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4">
      {outcome === "done" && (
        <Notice tone="calm">Password changed. You were signed out on your other devices.</Notice>
      )}
      {outcome instanceof Error && !isRefused && <Notice tone="danger">{sentence(outcome)}</Notice>}
      <PasswordField
        label="Current password"
        autoComplete="current-password"
        value={current}
        onChange={(event) => setCurrent(event.target.value)}
        problem={
          refused.current_password
            ? "This is not your current password"
            : isChecked && current === ""
              ? "Enter your current password"
              : undefined
        }
      />
      <PasswordField
        label="New password"
        autoComplete="new-password"
        hint={PASSWORD_RULE}
        value={next}
        onChange={(event) => setNext(event.target.value)}
        problem={refused.new_password || (isChecked && !isValidPassword(next)) ? PASSWORD_RULE : undefined}
      />
      <div>
        <Button type="submit" isBusy={outcome === "busy"}>
          Change password
        </Button>
      </div>
    </form>
  );
}
