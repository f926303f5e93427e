import { Lock } from "lucide-react";
import { Link, useLocation } from "react-router";
import { buttonClass } from "../../ui/Button";
import { EmptyState } from "../../ui/EmptyState";

/** A guest followed an address that is for members. */
export function SignInFirst() {
  const { pathname } = useLocation();
  return (
    <EmptyState
      icon={Lock}
      title="Private messages"
      action={
        <Link to="/sign-in" state={{ from: pathname }} className={buttonClass()}>
          Sign in
        </Link>
      }
    >
      Sign in to read what was written to you.
    </EmptyState>
  );
}
