// Messages on their way. Each is kept in localStorage from the moment Enter is pressed until the server has
// acknowledged it, under one `client_id` for all its attempts, so that no retry, reload or crash can lose it or
// post it twice. Each lane sends one at a time, in order, whichever tab does it.

import { ProblemError } from "../../api/problem";
import { newClientId } from "./client-id";
import type { Lane } from "./drafts";

export interface Unsent {
  clientId: string;
  lane: Lane;
  body: string;
  writtenAt: string;
  /** The server's reason where it refused for good; null while sending goes on. */
  refusal: string | null;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 15_000;

export class Outbox {
  #items: readonly Unsent[];
  #byLane = new Map<Lane, readonly Unsent[]>();
  #listeners = new Set<() => void>();
  #draining = new Set<Lane>();
  #wakers = new Set<() => void>();
  #isPaused = true;

  /** `deliver` posts one message and answers when the server has acknowledged it. */
  constructor(
    private readonly userId: string,
    private readonly deliver: (unsent: Unsent) => Promise<void>,
  ) {
    this.#items = this.#read();
  }

  /** Starts sending whatever is waiting, and whatever comes. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    window.addEventListener("storage", this.#onStorage);
    window.addEventListener("online", this.wake);
    for (const lane of new Set(this.#items.map(({ lane }) => lane))) void this.#drain(lane);
  }

  /** Stops sending; what is unsent stays kept. */
  pause(): void {
    this.#isPaused = true;
    window.removeEventListener("storage", this.#onStorage);
    window.removeEventListener("online", this.wake);
    this.wake();
  }

  /** Tries again now instead of when the wait is over. */
  readonly wake = (): void => {
    for (const waker of [...this.#wakers]) waker();
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The unsent messages of a lane, oldest first; the same array while nothing changed. */
  in(lane: Lane): readonly Unsent[] {
    const known = this.#byLane.get(lane) ?? this.#items.filter((item) => item.lane === lane);
    this.#byLane.set(lane, known);
    return known;
  }

  send(lane: Lane, body: string): void {
    const unsent = {
      clientId: newClientId(),
      lane,
      body,
      writtenAt: new Date().toISOString(),
      refusal: null,
    };
    this.#write([...this.#read(), unsent]);
    void this.#drain(lane);
  }

  /** Sends a refused message once more, as the same message. */
  retry(clientId: string): void {
    this.#refuse(clientId, null);
    const unsent = this.#items.find((item) => item.clientId === clientId);
    if (unsent) void this.#drain(unsent.lane);
  }

  /** The message was acknowledged, heard on the stream, or given up. */
  remove(clientId: string): void {
    if (!this.#items.some((item) => item.clientId === clientId)) return;
    this.#write(this.#read().filter((item) => item.clientId !== clientId));
  }

  async #drain(lane: Lane): Promise<void> {
    if (this.#isPaused || this.#draining.has(lane)) return;
    this.#draining.add(lane);
    await withLock(`gapless.outbox.${this.userId}.${lane}`, () => this.#sendAll(lane));
    this.#draining.delete(lane);
    // One may have come between the last look and the release of the lock.
    if (this.#nextOf(lane)) void this.#drain(lane);
  }

  async #sendAll(lane: Lane): Promise<void> {
    let failures = 0;
    for (;;) {
      const unsent = this.#nextOf(lane);
      if (!unsent) return;
      try {
        await this.deliver(unsent);
        this.remove(unsent.clientId);
        failures = 0;
      } catch (error) {
        const problem = error instanceof ProblemError ? error : new ProblemError({ status: 0 });
        // The session is over: everything waits for the next one.
        if (problem.status === 401) this.pause();
        else if (problem.isTemporary) await this.#rest(waitMs(problem, failures++));
        else this.#refuse(unsent.clientId, problem.message);
      }
    }
  }

  #nextOf(lane: Lane): Unsent | undefined {
    if (this.#isPaused) return undefined;
    this.#items = this.#read();
    return this.#items.find((item) => item.lane === lane && item.refusal === null);
  }

  #refuse(clientId: string, refusal: string | null): void {
    this.#write(this.#read().map((item) => (item.clientId === clientId ? { ...item, refusal } : item)));
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const awake = () => {
        clearTimeout(timer);
        this.#wakers.delete(awake);
        resolve();
      };
      const timer = setTimeout(awake, ms);
      this.#wakers.add(awake);
    });
  }

  readonly #onStorage = ({ key }: StorageEvent): void => {
    if (key === this.#key) this.#show(this.#read());
  };

  get #key(): string {
    return `gapless.outbox.${this.userId}`;
  }

  #read(): readonly Unsent[] {
    try {
      return JSON.parse(localStorage.getItem(this.#key) ?? "[]") as Unsent[];
    } catch {
      return [];
    }
  }

  #write(items: readonly Unsent[]): void {
    if (items.length === 0) localStorage.removeItem(this.#key);
    else localStorage.setItem(this.#key, JSON.stringify(items));
    this.#show(items);
  }

  #show(items: readonly Unsent[]): void {
    this.#items = items;
    this.#byLane.clear();
    for (const listener of [...this.#listeners]) listener();
  }
}

function waitMs(problem: ProblemError, failures: number): number {
  if (problem.retryAfterSecs !== null) return problem.retryAfterSecs * 1000;
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures) * (0.5 + Math.random() / 2);
}

/** Two tabs never send the same lane at once, or its order would be theirs to race for. */
function withLock(name: string, work: () => Promise<void>): Promise<void> {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}
