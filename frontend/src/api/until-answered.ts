import { ProblemError } from "./problem";

const LONGEST_WAIT_MS = 10_000;
/** Upper limit for `Retry-After`. */
const LONGEST_ASKED_MS = 60_000;
/** After this many failures in a row a screen says so, while the asking goes on. */
const PATIENCE = 2;

/**
 * For snapshots that the stream carries on: until one is read, what is shown may lack something, so the asking ends
 * only with an answer or a definite refusal. Options for a query.
 */
export const untilAnswered = {
  retry: (_failures: number, error: Error) => error instanceof ProblemError && error.isTemporary,
  /** Waits at least as long as the server requests, up to a limit, plus jitter: clients must not retry all at once. */
  retryDelay: (failures: number, error: Error) => {
    const asked = error instanceof ProblemError ? (error.retryAfterSecs ?? 0) * 1000 : 0;
    const backoff = Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures);
    return Math.min(LONGEST_ASKED_MS, Math.max(backoff, asked)) * (1 + Math.random() / 4);
  },
};

/** What to tell the reader about such a query, if anything. */
export function troubleOf(query: {
  failureCount: number;
  failureReason: Error | null;
  error: Error | null;
}): Error | null {
  return query.error ?? (query.failureCount >= PATIENCE ? query.failureReason : null);
}
