import { type ReactNode, useState } from "react";
import {
  banUser,
  endSessions,
  eraseUser,
  muteUser,
  setRole,
  unbanUser,
  unmuteUser,
} from "../../api/gen/sdk.gen";
import type { User } from "../../api/gen/types.gen";
import { answer } from "../../api/problem";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { periodOf } from "../../ui/dates";
import { INPUT_CLASS, TextField } from "../../ui/TextField";
import { reportDone } from "./done";

export interface UserTask {
  kind: "promote" | "demote" | "mute" | "unmute" | "ban" | "unban" | "end-sessions" | "erase";
  user: User;
}

const DURATIONS = [
  { label: "10 minutes", seconds: 600 },
  { label: "1 hour", seconds: 3_600 },
  { label: "1 day", seconds: 86_400 },
  { label: "1 week", seconds: 604_800 },
  { label: "30 days", seconds: 2_592_000 },
];

const periodName = (seconds: number) =>
  DURATIONS.find((duration) => duration.seconds === seconds)?.label ?? periodOf(seconds * 1_000);

interface UserDialogProps {
  task: UserTask;
  onDone(): Promise<unknown>;
  onClose(): void;
}

interface Wording {
  title: string;
  action: string;
  /** Said by a toast afterwards. */
  done: string;
  text: string;
  call(): Promise<unknown>;
  undo?(): Promise<unknown>;
}

/** Explains a moderation action, asks for its parameters and runs it. */
export function UserDialog({ task: { kind, user }, onDone, onClose }: UserDialogProps) {
  const [reason, setReason] = useState("");
  const [seconds, setSeconds] = useState(3_600);
  const [typed, setTyped] = useState("");
  const name = user.username;
  const path = { id: user.id };

  const words: Record<UserTask["kind"], Wording> = {
    promote: {
      title: `Make ${name} an admin?`,
      action: "Make admin",
      done: `${name} is now an admin`,
      text: "Admins manage rooms, moderate and send private messages. This takes effect right away.",
      call: () => answer(setRole({ path, body: { role: "admin" } })),
      undo: () => answer(setRole({ path, body: { role: "user" } })),
    },
    demote: {
      title: `Remove admin role from ${name}?`,
      action: "Remove admin role",
      done: `${name} is no longer an admin`,
      text: "They lose admin rights right away, also on pages they have open.",
      call: () => answer(setRole({ path, body: { role: "user" } })),
      undo: () => answer(setRole({ path, body: { role: "admin" } })),
    },
    mute: {
      title: `Mute ${name}?`,
      action: "Mute",
      done: `${name} is muted for ${periodName(seconds)}`,
      text: "They can keep reading but cannot post until the mute ends. They will see the reason.",
      call: () => answer(muteUser({ path, body: { seconds, reason: reason.trim() } })),
      undo: () => answer(unmuteUser({ path })),
    },
    unmute: {
      title: `Unmute ${name}?`,
      action: "Unmute",
      done: `${name} can post again`,
      text: "They can post again right away.",
      call: () => answer(unmuteUser({ path })),
    },
    ban: {
      title: `Ban ${name}?`,
      action: "Ban",
      done: `${name} is banned`,
      text: "They are signed out everywhere right away and cannot sign in until you unban them. Their messages stay.",
      call: () => answer(banUser({ path, body: { reason: reason.trim() } })),
      undo: () => answer(unbanUser({ path })),
    },
    unban: {
      title: `Unban ${name}?`,
      action: "Unban",
      done: `${name} can sign in again`,
      text: "They can sign in again.",
      call: () => answer(unbanUser({ path })),
    },
    "end-sessions": {
      title: `Sign ${name} out everywhere?`,
      action: "Sign out everywhere",
      done: `${name} was signed out everywhere`,
      text: "They will have to sign in again on every device.",
      call: () => answer(endSessions({ path })),
    },
    erase: {
      title: `Permanently erase ${name}?`,
      action: "Erase",
      done: `${name} was erased`,
      text: "This deletes their account, all private messages to and from them, and the text of everything they posted, for everyone. It cannot be undone.",
      call: () => answer(eraseUser({ path })),
    },
  };
  const { title, action, done, text, call, undo } = words[kind];
  const isFinal = kind === "erase";

  return (
    <ConfirmDialog
      title={title}
      action={action}
      look={isFinal ? "danger" : "solid"}
      isBlocked={isFinal && typed.trim().toLowerCase() !== name.toLowerCase()}
      onConfirm={async () => {
        await call();
        reportDone(done, undo && (() => undo().then(onDone)));
        await onDone();
      }}
      onClose={onClose}
    >
      <p>{text}</p>
      {isFinal && (
        <TextField
          label={`Type ${name} to confirm`}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
      )}
      {(kind === "mute" || kind === "ban") && (
        <TextField
          label="Reason"
          required
          maxLength={200}
          autoComplete="off"
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
      )}
      {kind === "mute" && (
        <Labelled label="Duration">
          <select
            value={seconds}
            onChange={(event) => setSeconds(Number(event.target.value))}
            className={INPUT_CLASS}
          >
            {DURATIONS.map((duration) => (
              <option key={duration.seconds} value={duration.seconds}>
                {duration.label}
              </option>
            ))}
          </select>
        </Labelled>
      )}
    </ConfirmDialog>
  );
}

function Labelled({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child
    <label className="flex flex-col gap-1.5 text-sm font-semibold text-ink">
      <span>{label}</span>
      {children}
    </label>
  );
}
