// Stored form of unsent messages: one record per message, under its own key. Tabs add and remove records without
// reading each other's, so that no tab can undo a write of another one.

import type { Author, Quote } from "../../api/gen/types.gen";
import { browserStorage, readJson } from "../../browser/storage";
import type { Lane } from "./drafts";

export interface Unsent {
  clientId: string;
  lane: Lane;
  body: string;
  /** The message that it answers. */
  replyTo: Quote | null;
  /** The people whose tokens are in the body. */
  mentions: readonly Author[];
  /** Set if it notifies everybody in the room. */
  mentionsRoom?: boolean;
  writtenAt: string;
  /** The server's reason if it refused the message permanently; null while it may still be sent. */
  refusal: string | null;
  /** Position among the messages of its lane. */
  order: number;
  /** Reason why the last attempt failed, if another one follows; null before the first. */
  trouble: string | null;
  /** Number of failed attempts since it was written or retried by hand. */
  failures: number;
  /** Times of the last failed attempt and of the next one, in milliseconds since 1970. */
  triedAt: number;
  retryAt: number;
  /** Set in lists only: an earlier message of the lane has failed, and this one waits for it. */
  isBehind?: boolean;
}

export class OutboxRecords {
  readonly #prefix: string;
  /** Before there was one record per message, all messages of a user were stored in one array under this key. */
  readonly #formerKey: string;

  constructor(userId: string) {
    this.#formerKey = `gapless.outbox.${userId}`;
    this.#prefix = `${this.#formerKey}.`;
  }

  /** All unsent messages, oldest first. */
  all(): Unsent[] {
    const found = browserStorage
      .keys(this.#prefix)
      .map((key) => asUnsent(readJson(browserStorage.read(key))));
    return found
      .filter((unsent) => unsent !== null)
      .sort((a, b) => a.order - b.order || (a.clientId < b.clientId ? -1 : 1));
  }

  get(clientId: string): Unsent | null {
    return asUnsent(readJson(browserStorage.read(this.#prefix + clientId)));
  }

  put(unsent: Unsent): void {
    browserStorage.write(this.#prefix + unsent.clientId, JSON.stringify(unsent));
  }

  remove(clientId: string): void {
    browserStorage.remove(this.#prefix + clientId);
  }

  /** Returns whether a change to `key` may have changed the unsent messages; null means that everything was cleared. */
  concerns(key: string | null): boolean {
    return key === null || key === this.#formerKey || key.startsWith(this.#prefix);
  }

  /**
   * Imports the messages stored by a tab of an older release. `written` is the value from the browser's event: by the
   * time of reading, the key may have been removed by a tab that had not seen it.
   */
  takeOver(written: string | null = browserStorage.read(this.#formerKey)): void {
    const former: unknown = readJson(written);
    if (!Array.isArray(former)) return;
    for (const item of former) {
      const unsent = asUnsent(item);
      if (unsent && !this.get(unsent.clientId)) this.put(unsent);
    }
    browserStorage.remove(this.#formerKey);
  }

  isFormer(key: string | null): boolean {
    return key === this.#formerKey;
  }
}

/** Parses a record of any release; fields missing in earlier ones get their initial values. */
function asUnsent(stored: unknown): Unsent | null {
  if (typeof stored !== "object" || stored === null) return null;
  const found = stored as Partial<Unsent>;
  const { clientId, lane, body, writtenAt } = found;
  if (typeof clientId !== "string" || typeof lane !== "string" || typeof body !== "string") return null;
  const order = found.order ?? (Date.parse(writtenAt ?? "") || 0);
  return {
    clientId,
    lane,
    body,
    replyTo: found.replyTo ?? null,
    mentions: found.mentions ?? [],
    ...(found.mentionsRoom && { mentionsRoom: true }),
    writtenAt: writtenAt ?? new Date(order).toISOString(),
    refusal: found.refusal ?? null,
    order,
    trouble: found.trouble ?? null,
    failures: found.failures ?? 0,
    triedAt: found.triedAt ?? 0,
    retryAt: found.retryAt ?? 0,
  };
}
