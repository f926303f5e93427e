import { useQuery } from "@tanstack/react-query";
import { apiAddress } from "./address";
import { getServer } from "./gen/sdk.gen";
import type { Server } from "./gen/types.gen";
import { ProblemError } from "./problem";
import { untilAnswered } from "./until-answered";

/** Timeout of a request, and the interval of retries. */
const PATIENCE_MS = 10_000;

/** The settings of the server that the app depends on; everything is absent until it has answered. */
export function useServerTraits(): Partial<Server> {
  const { data } = useQuery({
    queryKey: ["server"],
    queryFn: readServer,
    staleTime: Number.POSITIVE_INFINITY,
    ...untilAnswered,
  });
  return data ?? {};
}

/** A busy server responds with a problem, and a proxy with anything: neither is cached. */
async function readServer(): Promise<Server> {
  const { data, response } = await getServer({
    baseUrl: apiAddress(),
    // Without the session: it may have to be renewed first, and nothing here depends on it.
    fetch: (request) => fetch(request),
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch(() => ({ data: undefined, response: undefined }));
  if (typeof data === "object" && data !== null) return data;
  throw new ProblemError({ status: 0 }, response);
}
