import { useInfiniteQuery } from "@tanstack/react-query";
import { ScrollText } from "lucide-react";
import { listAuditEntries } from "../../api/gen/sdk.gen";
import { answer, sentence } from "../../api/problem";
import { Avatar } from "../../ui/Avatar";
import { shortTime } from "../../ui/dates";
import { EmptyState } from "../../ui/EmptyState";
import { LoadMore } from "../../ui/LoadMore";
import { Notice } from "../../ui/Notice";
import { Link } from "../../ui/router";
import { AdminPage } from "./AdminPage";
import { type Piece, type Told, told } from "./audit-sentence";

const PAGE = 50;

/** The audit trail, newest first. */
export function AdminAuditPage() {
  const trail = useInfiniteQuery({
    queryKey: ["audit"],
    queryFn: ({ pageParam }) => {
      const query = { limit: PAGE, ...(pageParam === null ? {} : { before: pageParam }) };
      return answer(listAuditEntries({ query }));
    },
    initialPageParam: null as number | null,
    getNextPageParam: ({ entries }) => (entries.length < PAGE ? null : (entries.at(-1)?.pos ?? null)),
  });
  const entries = trail.data?.pages.flatMap((page) => page.entries) ?? [];

  return (
    <AdminPage title="Audit trail">
      {trail.error && <Notice tone="danger">{sentence(trail.error)}</Notice>}
      {trail.data && entries.length === 0 && (
        <EmptyState icon={ScrollText} title="Nothing here yet">
          Changes made by admins are listed here.
        </EmptyState>
      )}
      <ol aria-label="Changes" className="divide-y divide-line">
        {entries.map((entry) => (
          <li key={`${entry.pos} ${entry.kind}`} className="flex items-center gap-3 py-2.5">
            <Avatar name={entry.actor?.username ?? "system"} size="small" />
            <p className="min-w-0 flex-1 foreign">
              <Sentence told={told(entry)} />
            </p>
            <time dateTime={entry.at} className="shrink-0 text-xs text-muted tabular-nums">
              {shortTime(entry.at)}
            </time>
          </li>
        ))}
      </ol>
      {trail.hasNextPage && (
        <LoadMore
          label="Show older changes"
          isLoading={trail.isFetchingNextPage}
          hasFailed={trail.isFetchNextPageError}
          onLoad={() => void trail.fetchNextPage()}
        />
      )}
    </AdminPage>
  );
}

function Sentence({ told: [actor, verb, subject, rest] }: { told: Told }) {
  return (
    <>
      <Named piece={actor} />
      <span>{verb.text}</span>
      <Named piece={subject} />
      <span>{rest.text}</span>
    </>
  );
}

function Named({ piece: { text, to } }: { piece: Piece }) {
  if (!to) return <span>{text}</span>;
  return (
    <Link to={to} className="font-semibold hover:underline">
      {text}
    </Link>
  );
}
