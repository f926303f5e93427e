// Messages being sent. Each is stored from the moment Enter is pressed until the server has acknowledged it, with one
// `client_id` for all attempts, so that no retry, reload or crash can lose it or post it twice. Each lane sends one
// message at a time, in order, whichever tab sends it.

import { ProblemError } from "../../api/problem";
import { exclusively } from "../../browser/exclusive";
import { Listeners } from "../../browser/listeners";
import { newClientId } from "./client-id";
import type { Lane } from "./drafts";
import { OutboxRecords, type Unsent } from "./outbox-records";

/** Minimum interval between attempts at one message, whatever the server, the network or the reader requests. */
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_BACKOFF_MS = 15_000;
/** Upper limit for `Retry-After`: a retry after this long does no harm. */
const LONGEST_WAIT_MS = 300_000;
/** Maximum wait for an attempt of another tab: longer than any request takes. */
const LOCK_PATIENCE_MS = 25_000;
/** Messages are sent by the tab in which they were written; other tabs wait this long before they send them. */
const OTHERS_FOLLOW_MS = 1_000;
/** Without locks two tabs may send the same message; the server stores one, so this only saves requests. */
const OTHERS_FOLLOW_WITHOUT_LOCKS_MS = 5_000;

export class Outbox {
  #items: readonly Unsent[];
  #byLane = new Map<Lane, readonly Unsent[]>();
  #listeners = new Listeners();
  #draining = new Set<Lane>();
  /** Functions that end the wait of a lane for its next attempt. */
  #wakers = new Map<Lane, () => void>();
  #inFlight = new Map<string, AbortController>();
  #isPaused = true;
  readonly #records: OutboxRecords;

  /** `deliver` posts one message and resolves when the server has acknowledged it. */
  constructor(
    private readonly userId: string,
    private readonly deliver: (unsent: Unsent, signal: AbortSignal) => Promise<void>,
  ) {
    this.#records = new OutboxRecords(userId);
    this.#records.takeOver();
    this.#items = this.#records.all();
  }

  /** Starts sending waiting and new messages. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    window.addEventListener("storage", this.#onStorage);
    window.addEventListener("online", this.wake);
    this.#show();
    this.#drainAll();
  }

  /** Stops sending; unsent messages are kept. */
  pause(): void {
    this.#isPaused = true;
    window.removeEventListener("storage", this.#onStorage);
    window.removeEventListener("online", this.wake);
    this.wake();
  }

  /** Retries now instead of waiting for the next attempt. */
  readonly wake = (): void => {
    for (const wake of [...this.#wakers.values()]) wake();
  };

  readonly subscribe = this.#listeners.subscribe;

  /** The unsent messages of a lane, oldest first; the same array while nothing changed. */
  in(lane: Lane): readonly Unsent[] {
    const known = this.#byLane.get(lane) ?? withWaiting(this.#items.filter((item) => item.lane === lane));
    this.#byLane.set(lane, known);
    return known;
  }

  send(
    lane: Lane,
    body: string,
    more: Partial<Pick<Unsent, "replyTo" | "mentions" | "mentionsRoom">> = {},
  ): void {
    const { replyTo = null, mentions = [], mentionsRoom = false } = more;
    const orders = this.#records.all().map(({ order }) => order);
    const now = Date.now();
    this.#records.put({
      clientId: newClientId(),
      lane,
      body,
      replyTo,
      mentions,
      ...(mentionsRoom && { mentionsRoom }),
      writtenAt: new Date(now).toISOString(),
      refusal: null,
      // Later than all others, even if the clock was set back.
      order: Math.max(now, ...orders.map((order) => order + 1)),
      trouble: null,
      failures: 0,
      triedAt: 0,
      retryAt: 0,
    });
    this.#show();
    void this.#drain(lane);
  }

  /** Retries a message that was refused or waits for its next attempt, immediately and as the same message. */
  retry(clientId: string): void {
    this.#change(clientId, { refusal: null, failures: 0, retryAt: 0 });
    const unsent = this.#items.find((item) => item.clientId === clientId);
    if (!unsent) return;
    this.#wakers.get(unsent.lane)?.();
    void this.#drain(unsent.lane);
  }

  /** Called when the message was acknowledged, or arrived on the stream. */
  remove(clientId: string): void {
    const unsent = this.#items.find((item) => item.clientId === clientId);
    if (!unsent) return;
    this.#records.remove(clientId);
    this.#show();
    // The next message need not wait for an attempt that was cancelled.
    this.#wakers.get(unsent.lane)?.();
  }

  /** Called when its author no longer wants to send it. */
  takeBack(clientId: string): void {
    this.remove(clientId);
    this.#inFlight.get(clientId)?.abort();
  }

  /** Number of unsent messages. */
  get count(): number {
    return this.#records.all().length;
  }

  takeBackAll(): void {
    for (const { clientId } of this.#records.all()) this.takeBack(clientId);
  }

  #drainAll(): void {
    for (const lane of new Set(this.#items.map(({ lane }) => lane))) void this.#drain(lane);
  }

  async #drain(lane: Lane): Promise<void> {
    if (this.#draining.has(lane)) return;
    this.#draining.add(lane);
    while (await this.#sendNext(lane));
    this.#draining.delete(lane);
    // Another message may have been added since the last check.
    if (this.#nextOf(lane)) void this.#drain(lane);
  }

  /** Makes one attempt when it is due; returns whether to check again. */
  async #sendNext(lane: Lane): Promise<boolean> {
    const seen = this.#nextOf(lane);
    if (!seen) return false;
    if (seen.retryAt > Date.now()) await this.#rest(seen);
    return exclusively(`gapless.outbox.${this.userId}.${lane}`, LOCK_PATIENCE_MS, async () => {
      // Another tab may have sent it, or tried to, while this one waited.
      const next = this.#nextOf(lane);
      if (!next) return false;
      const isDue =
        next.clientId === seen.clientId ? next.triedAt === seen.triedAt : next.retryAt <= Date.now();
      if (isDue) await this.#attempt(next);
      return true;
    });
  }

  async #attempt(unsent: Unsent): Promise<void> {
    const { clientId, failures } = unsent;
    const attempt = new AbortController();
    this.#inFlight.set(clientId, attempt);
    try {
      await this.deliver(unsent, attempt.signal);
      this.remove(clientId);
    } catch (error) {
      if (attempt.signal.aborted) return;
      const problem = error instanceof ProblemError ? error : new ProblemError({ status: 0 });
      // The session is over: all messages wait for the next one.
      if (problem.status === 401) this.pause();
      else if (problem.isTemporary) {
        const triedAt = Date.now();
        const retryAt = triedAt + waitMs(problem, failures);
        this.#change(clientId, { trouble: problem.message, failures: failures + 1, triedAt, retryAt });
      } else this.#change(clientId, { refusal: problem.message });
    } finally {
      this.#inFlight.delete(clientId);
    }
  }

  #nextOf(lane: Lane): Unsent | undefined {
    if (this.#isPaused) return undefined;
    return this.#records.all().find((item) => item.lane === lane && item.refusal === null);
  }

  #change(clientId: string, change: Partial<Unsent>): void {
    const unsent = this.#records.get(clientId);
    if (!unsent) return;
    this.#records.put({ ...unsent, ...change });
    this.#show();
  }

  /** Waits until the next attempt is due or the lane is woken, but at least for the minimum interval. */
  #rest({ lane, triedAt, retryAt }: Unsent): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wakers.delete(lane);
        resolve();
      };
      let timer = setTimeout(done, Math.min(retryAt - Date.now(), LONGEST_WAIT_MS));
      this.#wakers.set(lane, () => {
        clearTimeout(timer);
        const floor = triedAt + SHORTEST_WAIT_MS - Date.now();
        timer = setTimeout(done, Math.max(0, Math.min(floor, SHORTEST_WAIT_MS)));
      });
    });
  }

  readonly #onStorage = ({ key, newValue }: StorageEvent): void => {
    if (!this.#records.concerns(key)) return;
    if (this.#records.isFormer(key)) this.#records.takeOver(newValue);
    this.#show();
    if (this.#items.length === 0) return;
    // Unsent messages of a closed tab are sent by the remaining tabs.
    setTimeout(
      () => this.#drainAll(),
      navigator.locks ? OTHERS_FOLLOW_MS : OTHERS_FOLLOW_WITHOUT_LOCKS_MS * (1 + Math.random()),
    );
  };

  #show(): void {
    this.#items = this.#records.all();
    this.#byLane.clear();
    this.#listeners.notify();
  }
}

/** Marks messages that wait because an earlier message of the lane has failed. */
function withWaiting(items: readonly Unsent[]): readonly Unsent[] {
  const first = items.find(({ refusal }) => refusal === null);
  if (!first || first.trouble === null) return items;
  return items.map((item) => (item === first || item.refusal !== null ? item : { ...item, isBehind: true }));
}

/** Adds jitter only upwards: the server's `Retry-After` is the minimum. */
function waitMs(problem: ProblemError, failures: number): number {
  const backoff = Math.min(LONGEST_BACKOFF_MS, SHORTEST_WAIT_MS * 2 ** failures);
  const asked = (problem.retryAfterSecs ?? 0) * 1000;
  const least = asked > 0 ? Math.min(asked, LONGEST_WAIT_MS) : backoff;
  return Math.max(SHORTEST_WAIT_MS, least) * (1 + Math.random() / 4);
}
