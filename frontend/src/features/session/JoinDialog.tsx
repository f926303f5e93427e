import { buttonClass } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Link, useLocation } from "../../ui/router";

/** Invites a guest who wanted to do something that needs an account. */
export function JoinDialog({ onClose }: { onClose(): void }) {
  const { pathname } = useLocation();
  const back = { from: pathname };
  return (
    <Dialog title="Join the conversation" onClose={onClose}>
      <p className="text-muted">You need an account to reply and react. Reading is open to everyone.</p>
      <div className="mt-5 flex flex-wrap gap-3">
        <Link to="/sign-up" state={back} className={buttonClass()}>
          Sign up
        </Link>
        <Link to="/sign-in" state={back} className={buttonClass("quiet")}>
          Sign in
        </Link>
      </div>
    </Dialog>
  );
}
