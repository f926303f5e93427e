import { ProblemError } from "./problem";

const LONGEST_WAIT_MS = 10_000;
/** Upper limit for `Retry-After`. */
const LONGEST_ASKED_MS = 60_000;
/** Number of consecutive failures after which a screen reports the problem; retries continue. */
const PATIENCE = 2;

/**
 * Query options for snapshots that the stream then keeps up to date. Until one is read the screen may be incomplete, so
 * retries end only with a response or a permanent error.
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

/** Returns the error of such a query that should be shown, if any. */
export function troubleOf(query: {
  failureCount: number;
  failureReason: Error | null;
  error: Error | null;
}): Error | null {
  return query.error ?? (query.failureCount >= PATIENCE ? query.failureReason : null);
}
