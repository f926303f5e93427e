import { LogOut } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button, buttonClass } from "../../ui/Button";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { PageHeader } from "../../ui/PageHeader";
import { Link } from "../../ui/router";
import { useTitle } from "../../ui/use-title";
import { askToSignOut } from "../composer/SignOut";
import { NotificationSettings } from "../notifications/NotificationSettings";
import { session } from "../session/session";
import { useViewer } from "../session/use-session";
import { OpeningChoice } from "./OpeningChoice";
import { PasswordForm } from "./PasswordForm";
import { ThemeChoice } from "./ThemeChoice";

export function SettingsPage() {
  const viewer = useViewer();
  const [isEnding, setEnding] = useState(false);
  useTitle("Settings");
  return (
    <section aria-label="Settings" className="flex min-h-0 flex-1 flex-col">
      <PageHeader title="Settings" />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto flex max-w-xl flex-col gap-10 px-5 py-8">
          <Section title="Appearance">
            <ThemeChoice />
          </Section>
          <Section title="Reading">
            <OpeningChoice />
          </Section>
          {viewer ? (
            <>
              <Section title="Notifications">
                <NotificationSettings />
              </Section>
              <Section title="Password">
                <PasswordForm />
              </Section>
              <Section title="Sessions">
                <p className="text-muted">
                  Signed in as <b className="text-ink">{viewer.username}</b>. Drafts and unsent messages stay
                  in this browser until you sign in again.
                </p>
                <div className="flex flex-wrap gap-2">
                  <Button look="quiet" onClick={askToSignOut}>
                    <LogOut className="size-4.5" aria-hidden />
                    Sign out
                  </Button>
                  <Button look="quiet" onClick={() => setEnding(true)}>
                    Sign out everywhere
                  </Button>
                </div>
              </Section>
            </>
          ) : (
            <Section title="Account">
              <p className="text-muted">You are browsing as a guest.</p>
              <div className="flex gap-2">
                <Link to="/sign-in" className={buttonClass("quiet")}>
                  Sign in
                </Link>
                <Link to="/sign-up" className={buttonClass()}>
                  Sign up
                </Link>
              </div>
            </Section>
          )}
        </div>
      </div>
      {isEnding && (
        <ConfirmDialog
          title="Sign out everywhere?"
          action="Sign out everywhere"
          look="solid"
          onConfirm={() => session.signOutEverywhere()}
          onClose={() => setEnding(false)}
        >
          <p>You will have to sign in again on every device, including this one.</p>
        </ConfirmDialog>
      )}
    </section>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-4">
      <h2 className="text-xl font-bold">{title}</h2>
      {children}
    </section>
  );
}
