import { Lock } from "lucide-react";
import { Link, useLocation } from "react-router";
import { BlankPage } from "../../ui/BlankPage";
import { buttonClass } from "../../ui/Button";

/** Shown to guests who open a page for members. */
export function SignInFirst() {
  const { pathname } = useLocation();
  return (
    <BlankPage
      page="Private messages"
      icon={Lock}
      title="Your private messages"
      action={
        <Link to="/sign-in" state={{ from: pathname }} className={buttonClass()}>
          Sign in
        </Link>
      }
    >
      Sign in to read them.
    </BlankPage>
  );
}
