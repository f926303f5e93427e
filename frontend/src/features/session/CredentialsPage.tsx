import { type FormEvent, useState } from "react";
import { Link, Navigate, useLocation, useNavigate, useSearchParams } from "react-router";
import { ProblemError, sentence } from "../../api/problem";
import { useServerTraits } from "../../api/use-server-traits";
import { Button } from "../../ui/Button";
import { Logo } from "../../ui/Logo";
import { Notice } from "../../ui/Notice";
import { TextField } from "../../ui/TextField";
import { useTitle } from "../../ui/use-title";
import { session } from "./session";
import { useReturnPath } from "./use-return";
import { useSession } from "./use-session";

interface Wording {
  title: string;
  lead: string;
  action: string;
  other: { text: string; link: string; path: string };
}

const SIGN_IN: Wording = {
  title: "Welcome back",
  lead: "Sign in to post and to read your private messages.",
  action: "Sign in",
  other: { text: "New here?", link: "Create an account", path: "/sign-up" },
};

const SIGN_UP: Wording = {
  title: "Create your account",
  lead: "All you need is a username and a password.",
  action: "Create account",
  other: { text: "Already have an account?", link: "Sign in", path: "/sign-in" },
};

/** Sign-in and sign-up use the same form with different texts. */
export function CredentialsPage({ isNew }: { isNew: boolean }) {
  const words = isNew ? SIGN_UP : SIGN_IN;
  const back = useReturnPath();
  const navigate = useNavigate();
  const { state } = useLocation();
  const { user, endedBecause } = useSession();
  const { registration } = useServerTraits();
  const [query] = useSearchParams();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [invitation, setInvitation] = useState(query.get("invitation") ?? "");
  const [problem, setProblem] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  useTitle(words.action);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    try {
      const name = username.trim();
      await (isNew ? session.signUp(name, password, invitation.trim()) : session.signIn(name, password));
      navigate(back, { replace: true });
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  if (user && !isBusy) return <Navigate to={back} replace />;
  const fields = problem instanceof ProblemError ? problem.fields : {};
  const isClosed = isNew && registration === "closed";
  const hasFieldProblem = Boolean(fields.username || fields.password);
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-sm">
        <Link to={back} className="mb-8 flex items-center gap-3 font-display text-xl font-bold">
          <Logo className="size-10" />
          Gapless
        </Link>
        <h1 className="text-3xl font-bold">{words.title}</h1>
        <p className="mt-1.5 mb-6 text-muted">{words.lead}</p>
        {endedBecause && <Notice tone="waiting">{endedBecause}</Notice>}
        {problem !== null && !hasFieldProblem && <Notice tone="danger">{sentence(problem)}</Notice>}
        {isClosed ? (
          <Notice tone="waiting">Sign-up is closed. Ask an admin of this chat for an account.</Notice>
        ) : (
          <form onSubmit={submit} className="flex flex-col gap-4">
            {isNew && registration === "invite" && (
              <TextField
                label="Invitation"
                name="invitation"
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                required
                value={invitation}
                onChange={(event) => setInvitation(event.target.value)}
                hint="The code you got from an admin of this chat"
              />
            )}
            <TextField
              label="Username"
              name="username"
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              required
              value={username}
              onChange={(event) => setUsername(event.target.value)}
              problem={fields.username}
              {...(isNew
                ? { minLength: 3, maxLength: 32, hint: "3 to 32 characters: a–z, 0–9, dot, dash, underscore" }
                : {})}
            />
            <TextField
              label="Password"
              name="password"
              type="password"
              autoComplete={isNew ? "new-password" : "current-password"}
              required
              value={password}
              onChange={(event) => setPassword(event.target.value)}
              problem={fields.password}
              {...(isNew ? { minLength: 8, maxLength: 128, hint: "At least 8 characters" } : {})}
            />
            <Button type="submit" isBusy={isBusy} className="mt-2 w-full">
              {words.action}
            </Button>
          </form>
        )}
        {!isNew && <DemoHint />}
        <p className="mt-6 text-muted">
          <span>{words.other.text}</span>{" "}
          <Link
            to={words.other.path}
            state={state}
            className="font-semibold text-accent underline underline-offset-4"
          >
            {words.other.link}
          </Link>
        </p>
        <p className="mt-2 text-muted">
          or{" "}
          <Link to={back} className="font-semibold text-accent underline underline-offset-4">
            keep reading as a guest
          </Link>
        </p>
      </div>
    </main>
  );
}

/** Shown only if the server has demo accounts. */
function DemoHint() {
  if (!useServerTraits().demo) return null;
  return (
    <Notice tone="calm">
      This is a demo. Sign in as <b>ali</b> with password <b>test</b>, or as <b>admin</b> with <b>admin</b>.
    </Notice>
  );
}
