import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { listUsers } from "./gen/sdk.gen";
import { answer } from "./problem";

/** Users whose name contains `query`, loaded by page. A page may be empty although others follow. */
export function useUserSearch(query: string, limit: number) {
  const found = useInfiniteQuery({
    queryKey: ["users", query, limit],
    queryFn: ({ pageParam }) => {
      const cursor = pageParam === null ? {} : { cursor: pageParam };
      return answer(listUsers({ query: { limit, ...(query === "" ? {} : { query }), ...cursor } }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  });
  return { ...found, users: found.data?.pages.flatMap(({ users }) => users) };
}
