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

/** Says what an act of moderation means, asks what it needs to know, and does it. */
export function UserDialog({ task: { kind, user }, onDone, onClose }: UserDialogProps) {
  const [reason, setReason] = useState("");
  const [seconds, setSeconds] = useState(3_600);
  const name = user.username;
  const path = { id: user.id };

  const words: Record<UserTask["kind"], Wording> = {
    promote: {
      title: `Make ${name} an admin?`,
      action: "Make an admin",
      isDanger: false,
      text: "Admins run the rooms, moderate, and write private messages. It takes effect at once.",
      call: () => answer(setRole({ path, body: { role: "admin" } })),
    },
    demote: {
      title: `Make ${name} a user again?`,
      action: "Make a user",
      isDanger: true,
      text: "The rights of an admin end at once, on every open page.",
      call: () => answer(setRole({ path, body: { role: "user" } })),
    },
    mute: {
      title: `Mute ${name}?`,
      action: "Mute",
      isDanger: true,
      text: "They can keep reading, but cannot write until the mute ends. They see the reason.",
      call: () => answer(muteUser({ path, body: { seconds, reason: reason.trim() } })),
    },
    unmute: {
      title: `Unmute ${name}?`,
      action: "Unmute",
      isDanger: false,
      text: "They can write again at once.",
      call: () => answer(unmuteUser({ path })),
    },
    ban: {
      title: `Ban ${name}?`,
      action: "Ban",
      isDanger: true,
      text: "Every session of theirs ends at once, and they cannot sign in again until the ban is lifted. Their messages stay.",
      call: () => answer(banUser({ path, body: { reason: reason.trim() } })),
    },
    unban: {
      title: `Lift the ban of ${name}?`,
      action: "Lift the ban",
      isDanger: false,
      text: "They can sign in again.",
      call: () => answer(unbanUser({ path })),
    },
    "end-sessions": {
      title: `End every session of ${name}?`,
      action: "End sessions",
      isDanger: true,
      text: "Wherever they are signed in, they will have to sign in again. This cannot be undone.",
      call: () => answer(endSessions({ path })),
    },
    erase: {
      title: `Erase ${name} for good?`,
      action: "Erase",
      isDanger: true,
      text: "Their account, their private messages, also those written to them, and the words of everything they posted are gone for everyone. Nobody can bring them back.",
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
        <Labelled label="For how long">
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
