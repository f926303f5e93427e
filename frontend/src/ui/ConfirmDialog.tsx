import { type ReactNode, useState } from "react";
import { sentence } from "../api/problem";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Notice } from "./Notice";

interface ConfirmDialogProps {
  title: string;
  /** Explains what will happen, and whether it can be undone. */
  children: ReactNode;
  action: string;
  /** `danger` only if it cannot be undone. */
  look?: "danger" | "solid";
  /** True until the dialog's field contains what it asks for. */
  isBlocked?: boolean;
  onConfirm(): Promise<unknown>;
  onClose(): void;
}

/**
 * Asks for confirmation of an action; stays open, with the reason, if it fails. Without a field, a
 * destructive action initially focuses Cancel and a harmless one its own button.
 */
export function ConfirmDialog({
  title,
  children,
  action,
  look = "danger",
  isBlocked = false,
  onConfirm,
  onClose,
}: ConfirmDialogProps) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  async function confirm() {
    setBusy(true);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setProblem(sentence(error));
      setBusy(false);
    }
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void confirm();
        }}
      >
        <div className="flex flex-col gap-4 text-muted">{children}</div>
        {problem && <Notice tone="danger">{problem}</Notice>}
        <div className="mt-6 flex flex-wrap justify-end gap-2">
          <Button look="quiet" onClick={onClose}>
            Cancel
          </Button>
          <Button
            type="submit"
            look={look}
            isBusy={isBusy}
            disabled={isBlocked}
            data-first={look === "danger" ? undefined : true}
          >
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
