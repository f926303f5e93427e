import { type FormEvent, useRef, useState } from "react";
import { ProblemError, sentence } from "../../api/problem";
import { useServerTraits } from "../../api/use-server-traits";
import { Button } from "../../ui/Button";
import { Logo } from "../../ui/Logo";
import { hasKeyboard } from "../../ui/media";
import { Notice } from "../../ui/Notice";
import { PasswordField } from "../../ui/PasswordField";
import { Link, Redirect, useLocation, useNavigate, useSearchParams } from "../../ui/router";
import { TextField } from "../../ui/TextField";
import { useTitle } from "../../ui/use-title";
import {
  isHopelessName,
  isHopelessPassword,
  isValidName,
  isValidPassword,
  NAME_RULE,
  PASSWORD_RULE,
} from "./rules";
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

type Field = "invitation" | "username" | "password";

/** Sign-in and sign-up use the same form with different texts. */
export function CredentialsPage({ isNew }: { isNew: boolean }) {
  const words = isNew ? SIGN_UP : SIGN_IN;
  const back = useReturnPath();
  const navigate = useNavigate();
  const { state } = useLocation();
  const { user, endedBecause } = useSession();
  const { registration } = useServerTraits();
  const query = useSearchParams();
  const needsInvitation = isNew && registration === "invite";
  const [values, setValues] = useState<Record<Field, string>>({
    invitation: query.get("invitation") ?? "",
    username: "",
    password: "",
  });
  // A field that was left or submitted shows what is missing; before, only what cannot become right.
  const [left, setLeft] = useState<ReadonlySet<Field>>(new Set());
  const [refusal, setRefusal] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useTitle(words.action);

  const refused = refusedFields(refusal);
  const problemOf = (field: Field) => refused[field] ?? (isNew ? newProblem : missing)(field);
  const fieldProps = (field: Field) => ({
    name: field,
    value: values[field],
    problem: problemOf(field),
    onChange: ({ target }: { target: HTMLInputElement }) => {
      setValues({ ...values, [field]: target.value });
      if (refused[field]) setRefusal(null);
    },
    onBlur: () => values[field] !== "" && setLeft(new Set([...left, field])),
  });

  function missing(field: Field): string | undefined {
    if (!left.has(field) || values[field].trim() !== "") return undefined;
    return {
      invitation: "Enter your invitation",
      username: "Enter your username",
      password: "Enter your password",
    }[field];
  }

  function newProblem(field: Field): string | undefined {
    const name = values.username.trim();
    if (field === "username" && (isHopelessName(name) || (left.has(field) && !isValidName(name))))
      return NAME_RULE;
    const { password } = values;
    if (
      field === "password" &&
      (isHopelessPassword(password) || (left.has(field) && !isValidPassword(password)))
    )
      return PASSWORD_RULE;
    return missing(field);
  }

  function firstFault(): Field | undefined {
    const { username, password, invitation } = values;
    if (needsInvitation && invitation.trim() === "") return "invitation";
    const name = username.trim();
    if (isNew ? !isValidName(name) : name === "") return "username";
    return (isNew ? !isValidPassword(password) : password === "") ? "password" : undefined;
  }

  const focus = (field: Field) => form.current?.querySelector<HTMLElement>(`[name=${field}]`)?.focus();

  async function submit(event: FormEvent) {
    event.preventDefault();
    setLeft(new Set<Field>(["invitation", "username", "password"]));
    const fault = firstFault();
    if (fault) return focus(fault);
    setBusy(true);
    try {
      const name = values.username.trim();
      const { password, invitation } = values;
      await (isNew ? session.signUp(name, password, invitation.trim()) : session.signIn(name, password));
      navigate(back, { replace: true });
    } catch (error) {
      setRefusal(error);
      setBusy(false);
      const [field] = Object.keys(refusedFields(error)) as Field[];
      if (field) focus(field);
    }
  }

  if (user && !isBusy) return <Redirect to={back} />;
  const isClosed = isNew && registration === "closed";
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-sm">
        <Link to={back} className="mb-8 flex items-center gap-3 font-display text-xl font-bold">
          <Logo className="size-10" />
          Gapless
        </Link>
        <h1 className="text-3xl font-bold">{words.title}</h1>
        <p className="mt-1.5 mb-6 text-muted">{words.lead}</p>
        {endedBecause && refusal === null && <Notice tone="waiting">{endedBecause}</Notice>}
        {refusal !== null && Object.keys(refused).length === 0 && (
          <Notice tone="danger">{sentence(refusal)}</Notice>
        )}
        {isClosed ? (
          <Notice tone="waiting">Sign-up is closed. Ask an admin of this chat for an account.</Notice>
        ) : (
          <form ref={form} noValidate onSubmit={submit} className="flex flex-col gap-4">
            {needsInvitation && (
              <TextField
                {...fieldProps("invitation")}
                label="Invitation"
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                hint="The code you got from an admin of this chat"
              />
            )}
            <TextField
              {...fieldProps("username")}
              label="Username"
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              autoFocus={hasKeyboard()}
              hint={isNew ? NAME_RULE : undefined}
            />
            <PasswordField
              {...fieldProps("password")}
              label="Password"
              autoComplete={isNew ? "new-password" : "current-password"}
              hint={isNew ? PASSWORD_RULE : undefined}
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

/** The fields that the server refused, with a sentence for each; none if the refusal is about something else. */
function refusedFields(refusal: unknown): Partial<Record<Field, string>> {
  if (!(refusal instanceof ProblemError)) return {};
  if (refusal.code === "username_taken") return { username: sentence(refusal) };
  return {
    ...(refusal.fields.username ? { username: NAME_RULE } : {}),
    ...(refusal.fields.password ? { password: PASSWORD_RULE } : {}),
  };
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
