import { LogIn, X } from "lucide-react";
import { buttonClass, IconButton } from "../../ui/Button";
import { Foot } from "../../ui/Foot";
import { Link, useLocation } from "../../ui/router";
import { session } from "./session";
import { useSession } from "./use-session";

/** In place of the composer: an invitation for guests, or the reason why a session has ended. */
export function SignInPrompt() {
  const { endedBecause } = useSession();
  const { pathname } = useLocation();
  const back = { from: pathname };
  if (endedBecause) return <EndedNote reason={endedBecause} back={back} />;
  return (
    <div className="column px-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] md:px-4">
      <div className="flex items-center gap-1 rounded-2xl border border-edge/60 bg-raised p-1.5 shadow-low">
        <Link
          to="/sign-up"
          state={back}
          className="flex min-h-11 min-w-0 flex-1 items-center rounded-xl px-3 text-muted hover:text-ink md:min-h-9"
        >
          Join to write
        </Link>
        <Link
          to="/sign-in"
          state={back}
          className="flex min-h-11 shrink-0 items-center rounded-xl px-3 font-semibold text-accent hover:text-accent-strong md:min-h-9"
        >
          Sign in
        </Link>
      </div>
    </div>
  );
}

function EndedNote({ reason, back }: { reason: string; back: { from: string } }) {
  return (
    <Foot look="flex-wrap bg-waiting-wash text-sm font-medium text-waiting">
      <LogIn className="size-5 shrink-0" aria-hidden />
      <span role="alert" className="foreign min-w-40 flex-1">
        {reason}
      </span>
      <Link to="/sign-in" state={back} className={buttonClass("quiet")}>
        Sign in
      </Link>
      <IconButton label="Keep reading as a guest" onClick={() => session.dismissNotice()}>
        <X className="size-4.5" aria-hidden />
      </IconButton>
    </Foot>
  );
}
