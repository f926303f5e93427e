import { useQueryClient } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useState } from "react";
import { sentence } from "../../api/problem";
import { useUserSearch } from "../../api/use-user-search";
import { Button } from "../../ui/Button";
import { counted } from "../../ui/dates";
import { LoadMore } from "../../ui/LoadMore";
import { Notice } from "../../ui/Notice";
import { useSearchParams } from "../../ui/router";
import { TextField } from "../../ui/TextField";
import { AdminPage } from "./AdminPage";
import { UserDialog, type UserTask } from "./UserDialog";
import { UserRow } from "./UserRow";

const PAGE = 100;

export function AdminUsersPage() {
  const address = useSearchParams();
  const [query, setQuery] = useState(address.get("query") ?? "");
  const [task, setTask] = useState<UserTask | null>(null);
  const client = useQueryClient();
  const found = useUserSearch(query, PAGE);

  return (
    <AdminPage title="People" subtitle={found.users && countOf(found.users.length, found.hasNextPage)}>
      <div className="mb-2 max-w-xs">
        <TextField
          label="Search people"
          isLabelHidden
          placeholder="Search people"
          icon={<Search className="size-4.5" aria-hidden />}
          type="search"
          autoComplete="off"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
        />
      </div>
      {found.error && (
        <Notice tone="danger" action={<Button onClick={() => void found.refetch()}>Try again</Button>}>
          {sentence(found.error)}
        </Notice>
      )}
      <ul aria-label="People" className="divide-y divide-line">
        {(found.users ?? []).map((user) => (
          <UserRow key={user.id} user={user} onTask={(kind) => setTask({ kind, user })} />
        ))}
      </ul>
      {found.users?.length === 0 && !found.hasNextPage && (
        <p className="py-6 text-muted">No matching people.</p>
      )}
      {found.hasNextPage && (
        <LoadMore
          label="Show more people"
          isLoading={found.isFetchingNextPage}
          hasFailed={found.isFetchNextPageError}
          onLoad={() => void found.fetchNextPage()}
        />
      )}
      {task && (
        <UserDialog
          task={task}
          onDone={() => client.invalidateQueries({ queryKey: ["users"] })}
          onClose={() => setTask(null)}
        />
      )}
    </AdminPage>
  );
}

/** "124 people", or "100+ people" while the list has more pages. */
const countOf = (count: number, hasMore: boolean) =>
  hasMore ? `${count}+ people` : counted(count, "person", "people");
