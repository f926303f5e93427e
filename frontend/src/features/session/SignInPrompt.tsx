import { Link, useLocation } from "react-router";
import { buttonClass } from "../../ui/Button";
import { Foot } from "../../ui/Foot";

/** Replaces the composer for guests; after signing in, the same room is open again. */
export function SignInPrompt({ roomName }: { roomName: string }) {
  const { pathname } = useLocation();
  const back = { from: pathname };
  return (
    <Foot look="flex-wrap justify-between border border-line bg-surface">
      <p className="text-muted">
        You are reading as a guest.{" "}
        <span className="hidden sm:inline">{`Join to write in ${roomName}.`}</span>
      </p>
      <div className="flex gap-2">
        <Link to="/sign-in" state={back} className={buttonClass("quiet")}>
          Sign in
        </Link>
        <Link to="/sign-up" state={back} className={buttonClass()}>
          Sign up
        </Link>
      </div>
    </Foot>
  );
}
