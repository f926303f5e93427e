import { ProblemError } from "./problem";

const LONGEST_WAIT_MS = 10_000;
/** After this many failures in a row a screen says so, while the asking goes on. */
const PATIENCE = 2;

/**
 * For snapshots that the stream carries on: until one is read, what is shown may lack something, so the asking ends
 * only with an answer or a definite refusal. Options for a query.
 */
export const untilAnswered = {
  retry: (_failures: number, error: Error) => error instanceof ProblemError && error.isTemporary,
  retryDelay: (failures: number) => Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures),
};

/** What to tell the reader about such a query, if anything. */
export function troubleOf(query: {
  failureCount: number;
  failureReason: Error | null;
  error: Error | null;
}): Error | null {
  return query.error ?? (query.failureCount >= PATIENCE ? query.failureReason : null);
}
