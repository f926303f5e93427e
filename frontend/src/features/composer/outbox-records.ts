// Unsent messages as they are stored: one record per message, under a key of its own. Tabs add and remove records without
// reading each other's, so that no tab can undo what another one has just stored.

import { browserStorage, readJson } from "../../browser/storage";
import type { Lane } from "./drafts";

export interface Unsent {
  clientId: string;
  lane: Lane;
  body: string;
  writtenAt: string;
  /** The server's reason where it refused for good; null while sending goes on. */
  refusal: string | null;
  /** Orders the messages of a lane. */
  order: number;
  /** The reason why the last attempt failed, when another one follows; null before the first. */
  trouble: string | null;
  /** How many attempts have failed since it was written or retried by hand. */
  failures: number;
  /** When the last attempt failed, and when the next one is due, in milliseconds since 1970. */
  triedAt: number;
  retryAt: number;
  /** Set in lists only: an earlier message of the lane is in trouble, and this one waits for it. */
  isBehind?: boolean;
}

export class OutboxRecords {
  readonly #prefix: string;
  /** Before there was a record per message, all of a user's were in one array under this key. */
  readonly #formerKey: string;

  constructor(userId: string) {
    this.#formerKey = `gapless.outbox.${userId}`;
    this.#prefix = `${this.#formerKey}.`;
  }

  /** Everything unsent, oldest first. */
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

  /** Whether a change to `key` may have changed what is unsent; null means that everything was cleared. */
  concerns(key: string | null): boolean {
    return key === null || key === this.#formerKey || key.startsWith(this.#prefix);
  }

  /**
   * Takes over what a tab of an older release has stored. `written` is what it wrote just now, as the browser told us: by
   * the time we look, the key may have been removed by a tab that had not seen it.
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

/** A record of any release; fields that a former one did not have get their first values. */
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
    writtenAt: writtenAt ?? new Date(order).toISOString(),
    refusal: found.refusal ?? null,
    order,
    trouble: found.trouble ?? null,
    failures: found.failures ?? 0,
    triedAt: found.triedAt ?? 0,
    retryAt: found.retryAt ?? 0,
  };
}
