import { ShieldCheck } from "lucide-react";
import type { ReactNode } from "react";
import { BlankPage } from "../../ui/BlankPage";
import { PageHeader } from "../../ui/PageHeader";
import { NavLink } from "../../ui/router";
import { useTitle } from "../../ui/use-title";
import { SignInFirst } from "../session/SignInFirst";
import { useViewer } from "../session/use-session";

interface AdminPageProps {
  title: string;
  /** Shown after "Administration", such as the number of rows. */
  subtitle?: string | undefined;
  aside?: ReactNode;
  children: ReactNode;
}

/** The layout of every admin screen. The server enforces the rights; others just see a note here. */
export function AdminPage({ title, subtitle, aside, children }: AdminPageProps) {
  const viewer = useViewer();
  useTitle(title);
  if (viewer === null) {
    return (
      <SignInFirst page={title} title="Sign in as an admin">
        Only admins can see this page.
      </SignInFirst>
    );
  }
  if (viewer.role !== "admin") {
    return (
      <BlankPage page={title} icon={ShieldCheck} title="Admins only">
        Only admins can see this page.
      </BlankPage>
    );
  }
  return (
    <section aria-label={title} className="flex min-h-0 flex-1 flex-col">
      <PageHeader
        title={title}
        subtitle={subtitle ? `Administration · ${subtitle}` : "Administration"}
        aside={aside}
      />
      <nav
        aria-label="Administration"
        className="flex gap-1 overflow-x-auto border-b border-line px-3 md:px-5"
      >
        <Tab to="/admin/rooms">Rooms</Tab>
        <Tab to="/admin/users">People</Tab>
        <Tab to="/admin/invitations">Invitations</Tab>
        <Tab to="/admin/audit">Audit trail</Tab>
      </nav>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a list without controls must scroll by keyboard as well */}
      <div tabIndex={0} className="min-h-0 flex-1 overflow-y-auto focus-visible:-outline-offset-2">
        <div className="mx-auto flex max-w-3xl flex-col px-4 py-4 md:px-5">{children}</div>
      </div>
    </section>
  );
}

function Tab({ to, children }: { to: string; children: ReactNode }) {
  return (
    <NavLink
      to={to}
      className="flex min-h-11 shrink-0 items-center border-b-2 border-transparent px-3 font-semibold text-muted hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-ink"
    >
      {children}
    </NavLink>
  );
}
