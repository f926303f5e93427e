import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { searchMessages } from "../../api/gen/sdk.gen";
import { answer, ProblemError } from "../../api/problem";

const PAGE = 20;
/** Results stay as they are for so long when the search is opened again. */
const FRESH_MS = 60_000;
const RETRIES = 2;

/** Results of a search, newest first, loaded by page. A page may be empty although others follow. */
export function useSearch(asked: string | null, viewerId: string | undefined) {
  const found = useInfiniteQuery({
    queryKey: ["search", viewerId, asked],
    queryFn: ({ pageParam, signal }) => {
      const query = { q: asked ?? "", limit: PAGE, ...(pageParam === null ? {} : { cursor: pageParam }) };
      return answer(searchMessages({ query, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    enabled: asked !== null,
    placeholderData: keepPreviousData,
    staleTime: FRESH_MS,
    // Without a network the page says so at once, and tries again when there is one.
    retry: (failures, error) => failures < RETRIES && error instanceof ProblemError && error.status >= 500,
    refetchOnReconnect: ({ state }) => (state.status === "error" ? "always" : false),
  });
  return { ...found, results: found.data?.pages.flatMap(({ results }) => results) ?? [] };
}
