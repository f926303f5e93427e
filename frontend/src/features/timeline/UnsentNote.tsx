import { Clock3, RotateCw, TriangleAlert, Undo2 } from "lucide-react";
import type { ReactNode } from "react";
import type { Unsent } from "../composer/outbox-records";
import type { MessageActions } from "./MessageRow";

/** Explains why a message is not sent yet, with the author's options. */
export function UnsentNote({ unsent, actions }: { unsent: Unsent; actions: MessageActions }) {
  const { refusal, trouble, isBehind } = unsent;
  if (refusal === null && trouble === null) {
    return (
      <p className="flex items-center gap-1.5 text-xs text-muted">
        <Clock3 className="size-3.5" aria-hidden />
        <span>
          {isBehind
            ? "Waiting for the message above"
            : navigator.onLine
              ? "Sending…"
              : "Saved; will be sent when you are back online"}
        </span>
        {isBehind && <TakeBack unsent={unsent} actions={actions} />}
      </p>
    );
  }
  const isRefused = refusal !== null;
  return (
    <div
      role={isRefused ? "alert" : "status"}
      className={`mt-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-sm ${isRefused ? "text-danger" : "text-waiting"}`}
    >
      <span className="flex items-center gap-1.5">
        {isRefused ? (
          <TriangleAlert className="size-4 shrink-0" aria-hidden />
        ) : (
          <Clock3 className="size-4 shrink-0" aria-hidden />
        )}
        <span>{isRefused ? `Not sent: ${refusal}` : `Not sent yet: ${trouble} Trying again.`}</span>
      </span>
      <span className="flex gap-1">
        <SmallButton onClick={() => actions.retry(unsent)}>
          <RotateCw className="size-3.5" aria-hidden /> <span>{isRefused ? "Retry" : "Try now"}</span>
        </SmallButton>
        <TakeBack unsent={unsent} actions={actions} />
      </span>
    </div>
  );
}

function TakeBack({ unsent, actions }: { unsent: Unsent; actions: MessageActions }) {
  return (
    <SmallButton onClick={() => actions.takeBack(unsent)}>
      <Undo2 className="size-3.5" aria-hidden /> Take back
    </SmallButton>
  );
}

function SmallButton({ onClick, children }: { onClick(): void; children: ReactNode }) {
  return (
    <button
      type="button"
      onClick={onClick}
      className="inline-flex min-h-11 items-center gap-1.5 rounded-lg px-2.5 font-semibold hover:bg-surface md:min-h-8"
    >
      {children}
    </button>
  );
}
