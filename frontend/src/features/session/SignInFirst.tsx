import { Lock } from "lucide-react";
import type { ReactNode } from "react";
import { BlankPage } from "../../ui/BlankPage";
import { buttonClass } from "../../ui/Button";
import { Link, useLocation } from "../../ui/router";
import { useSession } from "./use-session";

interface SignInFirstProps {
  page: string;
  title: string;
  children: ReactNode;
}

/** Shown to guests who open a page for members; says why, if their session has ended on it. */
export function SignInFirst({ page, title, children }: SignInFirstProps) {
  const { pathname } = useLocation();
  const { endedBecause } = useSession();
  return (
    <BlankPage
      page={page}
      icon={Lock}
      title={title}
      action={
        <Link to="/sign-in" state={{ from: pathname }} className={buttonClass()}>
          Sign in
        </Link>
      }
    >
      <span>{endedBecause ?? children}</span>
    </BlankPage>
  );
}
