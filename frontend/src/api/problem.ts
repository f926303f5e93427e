// What the server says when it refuses, as an exception that screens can show.

import type { Problem } from "./gen/types.gen";

/** A refusal, with the server's own sentence, or ours where no answer came at all. */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: Readonly<Record<string, string>>;
  /** From `Retry-After`, in seconds; null where the server named none. */
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

  /** Nobody answered, or the answer was "not now": the same request may succeed later, unchanged. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

interface Outcome<T> {
  data?: T;
  error?: unknown;
  response?: Response;
}

/** The answer of a generated call, or a `ProblemError`; never anything else. */
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

/** A sentence for a person, whatever was thrown. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : "Something went wrong.";
}
