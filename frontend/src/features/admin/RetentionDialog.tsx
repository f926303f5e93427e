import { useState } from "react";
import { setRetention } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer } from "../../api/problem";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { INPUT_CLASS } from "../../ui/TextField";
import { reportDone } from "./done";

/** Value of the option for the server's default; the others are numbers of days. */
const AS_SERVER = "server";
const CHOICES = [0, 1, 7, 30, 90, 365];

/** Says in a list how long a room keeps its messages. */
export function keptSentence(days: number): string {
  return days === 0 ? "kept forever" : `kept for ${periodName(days)}`;
}

/** A retention period within a sentence; null is the server's default. */
export function keptPhrase(days: number | null): string {
  return days === null ? "the server default" : periodName(days).toLowerCase();
}

function periodName(days: number): string {
  if (days === 0) return "Forever";
  return days === 1 ? "1 day" : `${days} days`;
}

/** Sets how long a room keeps its messages. */
export function RetentionDialog({ room, onClose }: { room: Room; onClose(): void }) {
  const [choice, setChoice] = useState(String(room.retention_days ?? AS_SERVER));
  const days = choice === AS_SERVER ? null : Number(choice);
  // Another client may have set a different number.
  const choices = [...new Set([...CHOICES, ...(room.retention_days === null ? [] : [room.retention_days])])];
  return (
    <ConfirmDialog
      title={`Message retention in “${room.name}”`}
      action="Save"
      look={days === null || days === 0 ? "solid" : "danger"}
      onConfirm={async () => {
        await answer(setRetention({ path: { id: room.id }, body: { days } }));
        reportDone(`Message retention in “${room.name}”: ${keptPhrase(days)}`);
      }}
      onClose={onClose}
    >
      <label className="flex flex-col gap-1.5 text-sm font-semibold text-ink">
        Keep messages for
        <select value={choice} onChange={(event) => setChoice(event.target.value)} className={INPUT_CLASS}>
          <option value={AS_SERVER}>Server default</option>
          {choices
            .sort((a, b) => a - b)
            .map((choice) => (
              <option key={choice} value={choice}>
                {periodName(choice)}
              </option>
            ))}
        </select>
      </label>
      <p>Older messages are permanently deleted for everyone within a minute.</p>
    </ConfirmDialog>
  );
}
