import { useQuery } from "@tanstack/react-query";
import { apiAddress } from "./address";
import type { Registration } from "./gen/types.gen";
import { ProblemError } from "./problem";
import { untilAnswered } from "./until-answered";

interface ServerTraits {
  /** True if demo accounts exist. */
  demo?: boolean;
  /** True if members may reply to an admin's direct message. */
  dm_replies?: boolean;
  /** Who can create an account. */
  registration?: Registration;
}

/** Timeout of a request, and the interval of retries. */
const PATIENCE_MS = 10_000;

/** The server's configuration; all fields are absent until it has responded. */
export function useServerTraits(): ServerTraits {
  const { data } = useQuery({
    queryKey: ["traits"],
    queryFn: readTraits,
    staleTime: Number.POSITIVE_INFINITY,
    ...untilAnswered,
  });
  return data ?? {};
}

/** A server that is not ready responds with a problem, and a proxy with anything: neither is cached as traits. */
async function readTraits(): Promise<ServerTraits> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const response = await fetch(`${apiAddress()}/readyz`, { signal }).catch(() => null);
  const traits: unknown = response?.ok ? await response.json().catch(() => null) : null;
  if (typeof traits === "object" && traits !== null) return traits;
  throw new ProblemError({ status: 0 }, response ?? undefined);
}
