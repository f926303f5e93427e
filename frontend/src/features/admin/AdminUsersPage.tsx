import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { sentence } from "../../api/problem";
import { useUserSearch } from "../../api/use-user-search";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { TextField } from "../../ui/TextField";
import { AdminPage } from "./AdminPage";
import { UserDialog, type UserTask } from "./UserDialog";
import { UserRow } from "./UserRow";

const PAGE = 100;

export function AdminUsersPage() {
  const [query, setQuery] = useState("");
  const [task, setTask] = useState<UserTask | null>(null);
  const client = useQueryClient();
  const found = useUserSearch(query, PAGE);

  return (
    <AdminPage title="People">
      <div className="mb-3 max-w-sm">
        <TextField
          label="Search people"
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
        <Button
          look="quiet"
          className="mt-4 self-center"
          isBusy={found.isFetchingNextPage}
          onClick={() => void found.fetchNextPage()}
        >
          Show more people
        </Button>
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
