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
import { INPUT_CLASS, TextField } from "../../ui/TextField";

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

interface UserDialogProps {
  task: UserTask;
  onDone(): Promise<unknown>;
  onClose(): void;
}

interface Wording {
  title: string;
  action: string;
  isDanger: boolean;
  text: string;
  call(): Promise<unknown>;
}

/** Explains a moderation action, asks for its parameters and runs it. */
export function UserDialog({ task: { kind, user }, onDone, onClose }: UserDialogProps) {
  const [reason, setReason] = useState("");
  const [seconds, setSeconds] = useState(3_600);
  const name = user.username;
  const path = { id: user.id };

  const words: Record<UserTask["kind"], Wording> = {
    promote: {
      title: `Make ${name} an admin?`,
      action: "Make admin",
      isDanger: false,
      text: "Admins manage rooms, moderate and send private messages. This takes effect right away.",
      call: () => answer(setRole({ path, body: { role: "admin" } })),
    },
    demote: {
      title: `Remove admin role from ${name}?`,
      action: "Remove admin role",
      isDanger: true,
      text: "They lose admin rights right away, also on pages they have open.",
      call: () => answer(setRole({ path, body: { role: "user" } })),
    },
    mute: {
      title: `Mute ${name}?`,
      action: "Mute",
      isDanger: true,
      text: "They can keep reading but cannot post until the mute ends. They will see the reason.",
      call: () => answer(muteUser({ path, body: { seconds, reason: reason.trim() } })),
    },
    unmute: {
      title: `Unmute ${name}?`,
      action: "Unmute",
      isDanger: false,
      text: "They can post again right away.",
      call: () => answer(unmuteUser({ path })),
    },
    ban: {
      title: `Ban ${name}?`,
      action: "Ban",
      isDanger: true,
      text: "They are signed out everywhere right away and cannot sign in until you unban them. Their messages stay.",
      call: () => answer(banUser({ path, body: { reason: reason.trim() } })),
    },
    unban: {
      title: `Unban ${name}?`,
      action: "Unban",
      isDanger: false,
      text: "They can sign in again.",
      call: () => answer(unbanUser({ path })),
    },
    "end-sessions": {
      title: `Sign ${name} out everywhere?`,
      action: "Sign out everywhere",
      isDanger: true,
      text: "They will have to sign in again on every device. This cannot be undone.",
      call: () => answer(endSessions({ path })),
    },
    erase: {
      title: `Permanently erase ${name}?`,
      action: "Erase",
      isDanger: true,
      text: "This deletes their account, all private messages to and from them, and the text of everything they posted, for everyone. It cannot be undone.",
      call: () => answer(eraseUser({ path })),
    },
  };
  const { title, action, isDanger, text, call } = words[kind];

  return (
    <ConfirmDialog
      title={title}
      action={action}
      look={isDanger ? "danger" : "solid"}
      onConfirm={async () => {
        await call();
        await onDone();
      }}
      onClose={onClose}
    >
      <p>{text}</p>
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
