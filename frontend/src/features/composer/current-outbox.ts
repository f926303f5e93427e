// The outbox of the signed-in user, and the requests that send its messages.

import { useSyncExternalStore } from "react";
import { asUser } from "../../api/client";
import { postDirectMessage, postMessage } from "../../api/gen/sdk.gen";
import { answer, ProblemError } from "../../api/problem";
import { chat } from "../../realtime/store";
import { session } from "../session/session";
import type { Lane } from "./drafts";
import { Outbox } from "./outbox";
import type { Unsent } from "./outbox-records";

const outboxes = new Map<string, Outbox>();

export function outboxOf(userId: string): Outbox {
  const outbox =
    outboxes.get(userId) ?? new Outbox(userId, (unsent, signal) => deliver(userId, unsent, signal));
  outboxes.set(userId, outbox);
  return outbox;
}

async function deliver(userId: string, unsent: Unsent, signal: AbortSignal) {
  const { clientId, lane, body, replyTo, mentions, mentionsRoom } = unsent;
  const [kind, id = ""] = lane.split(":");
  const options = { ...asUser(userId), signal };
  // A server of an earlier release refuses fields that it does not know.
  const more = {
    ...(replyTo && { reply_to: replyTo.seq }),
    ...(mentions.length > 0 && { mentions: mentions.map(({ id }) => id) }),
    ...(mentionsRoom && { mentions_room: true }),
  };
  const posted =
    kind === "room"
      ? answer(postMessage({ ...options, body: { room_id: id, body, client_id: clientId, ...more } }))
      : answer(postDirectMessage({ ...options, body: { recipient_id: id, body, client_id: clientId } }));
  const message = await posted.catch((error: unknown) => {
    const isRefusedWhileSignedIn =
      error instanceof ProblemError && error.status === 401 && session.userId === userId;
    // A 401 in a session that is still valid comes from a proxy or a race, and does not end the session.
    throw isRefusedWhileSignedIn ? new ProblemError({ status: 0, detail: error.message }) : error;
  });
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
