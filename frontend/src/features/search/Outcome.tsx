import { CloudOff, SearchX, TriangleAlert } from "lucide-react";
import { useEffect } from "react";
import type { SearchResult } from "../../api/gen/types.gen";
import { ProblemError, sentence } from "../../api/problem";
import { Button } from "../../ui/Button";
import { counted } from "../../ui/dates";
import { EmptyState } from "../../ui/EmptyState";
import { everywhere, roomIn } from "./query";
import { ResultRow } from "./ResultRow";
import type { useSearch } from "./use-search";

/** Empty pages after which a search goes on only by hand. */
const MOST_EMPTY = 5;

interface OutcomeProps {
  id: string;
  asked: string | null;
  isShort: boolean;
  isTyping: boolean;
  found: ReturnType<typeof useSearch>;
  results: readonly SearchResult[];
  at: number;
  pathOf(result: SearchResult): string;
  onOpen(result: SearchResult): void;
  onType(text: string): void;
  rooms: readonly { name: string; slug?: string }[];
}

/** Results of the search, or why there are none. */
export function Outcome(props: OutcomeProps) {
  const { id, asked, isShort, isTyping, found, results, at, pathOf, onOpen } = props;
  const { data, error, hasNextPage, isFetching, isFetchingNextPage, fetchNextPage } = found;
  const pages = data?.pages.length ?? 0;
  const isEmptySoFar = results.length === 0 && hasNextPage && pages < MOST_EMPTY;
  const isBusy =
    isTyping || isEmptySoFar || (isFetching && (results.length === 0 || found.isPlaceholderData));
  useEffect(() => {
    if (isEmptySoFar && !isFetching && !error) void fetchNextPage();
  }, [isEmptySoFar, isFetching, error, fetchNextPage]);

  if (isShort) return <p className="px-3 py-4 text-muted">Type at least two letters.</p>;
  if (asked === null) return null;
  if (error && !isFetching && results.length === 0)
    return <Refusal error={error} onRetry={() => void found.refetch()} />;
  if (results.length === 0 && isBusy) return <Skeleton />;
  if (results.length === 0 && !hasNextPage) return <Nothing {...props} asked={asked} />;
  return (
    <div className={isBusy ? "opacity-60" : ""}>
      <p role="status" className="px-3 pt-1 pb-2 text-sm text-muted">
        {isBusy ? "Searching…" : `${counted(results.length, "message")}${hasNextPage ? " so far" : ""}`}
      </p>
      <div id={id} role="listbox" aria-label="Messages found" className="flex flex-col gap-0.5">
        {results.map((result, index) => (
          <ResultRow
            key={result.message.id}
            id={`${id}-${index}`}
            result={result}
            path={pathOf(result)}
            isActive={index === at}
            onOpen={() => onOpen(result)}
          />
        ))}
      </div>
      {error && <p className="px-3 pt-3 text-danger">{sentence(error)}</p>}
      {hasNextPage && (
        <div className="p-3 text-center">
          <Button look="quiet" isBusy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Show more
          </Button>
        </div>
      )}
    </div>
  );
}

function Nothing({ asked, onType, rooms }: OutcomeProps & { asked: string }) {
  const room = roomIn(asked);
  const name = rooms.find(({ slug }) => slug === room)?.name ?? room;
  const all = everywhere(asked);
  const offersAll = room !== null && all !== "";
  return (
    <div role="status">
      <EmptyState
        icon={SearchX}
        title={room === null ? "Nothing found" : `Nothing in #${name}`}
        action={offersAll && <Button onClick={() => onType(all)}>Search all rooms</Button>}
      >
        {offersAll ? null : "Every word has to be in the message. Try fewer or shorter ones."}
      </EmptyState>
    </div>
  );
}

function Refusal({ error, onRetry }: { error: Error; onRetry(): void }) {
  const isOffline = error instanceof ProblemError && error.status === 0;
  const isWrong = error instanceof ProblemError && error.status === 422;
  const wrong = error instanceof ProblemError ? (error.fields.q ?? sentence(error)) : sentence(error);
  return (
    <div role="alert">
      <EmptyState
        icon={isOffline ? CloudOff : TriangleAlert}
        title={isOffline ? "You are offline" : isWrong ? "This search cannot be read" : "Could not search"}
        action={!isWrong && <Button onClick={onRetry}>Try again</Button>}
      >
        {isOffline ? "Messages are searched on the server, which cannot be reached right now." : wrong}
      </EmptyState>
    </div>
  );
}

function Skeleton() {
  return (
    <div role="status" className="flex flex-col gap-5 p-3">
      <span className="sr-only">Searching…</span>
      {["w-56", "w-40", "w-64", "w-48"].map((width) => (
        <div key={width} className="flex flex-col gap-2">
          <span className="skeleton h-3 w-28" />
          <span className={`skeleton h-3.5 max-w-full ${width}`} />
        </div>
      ))}
    </div>
  );
}
