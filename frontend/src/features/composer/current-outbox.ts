// The outbox of whoever is signed in, and how its messages reach the server.

import { useSyncExternalStore } from "react";
import { postDirectMessage, postMessage } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { chat } from "../../realtime/store";
import type { Lane } from "./drafts";
import { Outbox, type Unsent } from "./outbox";

const outboxes = new Map<string, Outbox>();

export function outboxOf(userId: string): Outbox {
  const outbox = outboxes.get(userId) ?? new Outbox(userId, deliver);
  outboxes.set(userId, outbox);
  return outbox;
}

async function deliver({ clientId, lane, body }: Unsent): Promise<void> {
  const [kind, id = ""] = lane.split(":");
  const message =
    kind === "room"
      ? await answer(postMessage({ body: { room_id: id, body, client_id: clientId } }))
      : await answer(postDirectMessage({ body: { recipient_id: id, body, client_id: clientId } }));
  chat.acknowledge(message);
}

const NOTHING: readonly Unsent[] = [];

export function useUnsent(userId: string | undefined, lane: Lane): readonly Unsent[] {
  const outbox = userId === undefined ? null : outboxOf(userId);
  return useSyncExternalStore(
    (listener) => outbox?.subscribe(listener) ?? (() => {}),
    () => outbox?.in(lane) ?? NOTHING,
  );
}
