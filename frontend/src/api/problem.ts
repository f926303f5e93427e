// The server's error responses as an exception that screens can show.

import type { Problem } from "./gen/types.gen";

/** An error response with the server's sentence, or with ours if there was no response. */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: Readonly<Record<string, string>>;
  /** From `Retry-After`, in seconds; null if the server did not send it. */
  readonly retryAfterSecs: number | null;

  constructor(problem: Partial<Problem>, response?: Response) {
    super(problem.detail || problem.title || "The server did not give a reason.");
    this.name = "ProblemError";
    this.status = problem.status ?? response?.status ?? 0;
    this.code = problem.code ?? "unknown";
    this.fields = Object.fromEntries((problem.errors ?? []).map(({ field, message }) => [field, message]));
    const retryAfter = Number(response?.headers.get("Retry-After") ?? Number.NaN);
    this.retryAfterSecs = Number.isFinite(retryAfter) ? retryAfter : null;
  }

  /** True if there was no response or a temporary error: the same request may succeed later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

interface Outcome<T> {
  data?: T;
  error?: unknown;
  response?: Response;
}

/** Returns the data of a generated call, or throws a `ProblemError`; never anything else. */
export async function answer<T>(call: Promise<Outcome<T>>): Promise<T> {
  const { data, error, response } = await call.catch((): Outcome<T> => ({}));
  if (response?.ok) return data as T;
  if (!response) {
    throw new ProblemError({
      status: 0,
      code: "unreachable",
      detail: "The server cannot be reached right now.",
    });
  }
  const problem = typeof error === "object" && error !== null ? (error as Partial<Problem>) : {};
  throw new ProblemError(
    { detail: `The server responded with error ${response.status}.`, ...problem },
    response,
  );
}

/** Returns a sentence for a person, whatever was thrown. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : "Something went wrong.";
}
