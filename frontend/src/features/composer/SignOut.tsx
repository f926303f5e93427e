import { useState, useSyncExternalStore } from "react";
import { Observable } from "../../browser/observable";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { counted } from "../../ui/dates";
import { session } from "../session/session";
import { useViewer } from "../session/use-session";
import { outboxOf } from "./current-outbox";
import { countDrafts, forgetDrafts } from "./drafts";

const isAsking = new Observable(false);

/** Signs out at once, or asks first if something typed would stay in this browser, where others could read it. */
export function askToSignOut(): void {
  const { userId } = session;
  if (userId !== null && typedBy(userId) !== "") isAsking.set(true);
  else void session.signOut();
}

/** "2 drafts and 1 unsent message"; empty if there is nothing. */
function typedBy(userId: string): string {
  const drafts = countDrafts(userId);
  const unsent = outboxOf(userId).count;
  return [
    ...(drafts > 0 ? [counted(drafts, "draft")] : []),
    ...(unsent > 0 ? [counted(unsent, "unsent message")] : []),
  ].join(" and ");
}

/** The question before signing out. Mounted once, by the shell. */
export function SignOutQuestion() {
  const isOpen = useSyncExternalStore(isAsking.subscribe, () => isAsking.current);
  const viewer = useViewer();
  if (!isOpen || !viewer) return null;
  return <SignOutDialog userId={viewer.id} onClose={() => isAsking.set(false)} />;
}

function SignOutDialog({ userId, onClose }: { userId: string; onClose(): void }) {
  const [typed] = useState(() => typedBy(userId));
  const [isShared, setShared] = useState(false);

  async function signOut() {
    if (isShared) {
      forgetDrafts(userId);
      outboxOf(userId).takeBackAll();
    }
    await session.signOut();
  }

  return (
    <ConfirmDialog title="Sign out?" action="Sign out" look="solid" onConfirm={signOut} onClose={onClose}>
      <p>
        <span>{`This browser holds ${typed}.`}</span> What you typed stays here for your next visit, and other
        people who use this browser could read it.
      </p>
      <label className="flex min-h-11 cursor-pointer items-center gap-3 font-semibold text-ink">
        <input
          type="checkbox"
          checked={isShared}
          onChange={() => setShared(!isShared)}
          className="size-5 shrink-0 accent-accent"
        />
        This is a shared computer: delete it
      </label>
    </ConfirmDialog>
  );
}
