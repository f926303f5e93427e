import { useInfiniteQuery } from "@tanstack/react-query";
import { ScrollText } from "lucide-react";
import { listAuditEntries } from "../../api/gen/sdk.gen";
import type { AuditEntry } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { Avatar } from "../../ui/Avatar";
import { Button } from "../../ui/Button";
import { shortTime } from "../../ui/dates";
import { EmptyState } from "../../ui/EmptyState";
import { Notice } from "../../ui/Notice";
import { AdminPage } from "./AdminPage";
import { keptSentence } from "./RetentionDialog";

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
            <p className="min-w-0 flex-1 foreign">{told(entry)}</p>
            <time dateTime={entry.at} className="shrink-0 text-xs text-muted">
              {shortTime(entry.at)}
            </time>
          </li>
        ))}
      </ol>
      {trail.hasNextPage && (
        <Button look="quiet" className="mt-4 self-center" onClick={() => void trail.fetchNextPage()}>
          Show older changes
        </Button>
      )}
    </AdminPage>
  );
}

const VERBS: Readonly<Record<string, string>> = {
  "message.deleted": "deleted a message in",
  "room.created": "created the room",
  "room.renamed": "renamed the room",
  "room.archived": "archived the room",
  "room.restored": "restored the room",
  "room.retention_set": "changed message retention in",
  "room.topic_set": "changed the topic of",
  "user.role_set": "changed the role of",
  "user.muted": "muted",
  "user.unmuted": "unmuted",
  "user.banned": "banned",
  "user.unbanned": "unbanned",
  "user.erased": "erased",
  "sessions.ended": "ended the sessions of",
};

/** Describes a change as a sentence; unknown kinds are described by their name. */
function told({ kind, actor, room, user, detail }: AuditEntry): string {
  const verb = VERBS[kind] ?? kind.replace(/[._]/g, " ");
  const said = (detail ?? {}) as Record<string, unknown>;
  // The room's name at that time, if the entry has it; the present one otherwise.
  const roomName = kind === "room.renamed" ? (said.from ?? room?.name) : (said.name ?? room?.name);
  const whom = user?.username ?? (roomName ? `“${roomName}”` : "");
  return `${actor?.username ?? "The system"} ${verb} ${whom}${outcome(kind, said)}`;
}

function outcome(kind: string, said: Record<string, unknown>): string {
  if (kind === "room.renamed" && said.to) return ` to “${said.to}”`;
  if (kind === "room.topic_set") return said.to ? ` to “${said.to}”` : " to nothing";
  if (kind === "room.retention_set" && "days" in said)
    return said.days === null ? " to the server default" : `: ${keptSentence(Number(said.days))}`;
  if (kind === "user.role_set" && said.role) return ` to ${said.role}`;
  return said.reason ? `: ${said.reason}` : "";
}
