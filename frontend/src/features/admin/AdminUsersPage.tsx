import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { listUsers } from "../../api/gen/sdk.gen";
import { answer, sentence } from "../../api/problem";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { TextField } from "../../ui/TextField";
import { AdminPage } from "./AdminPage";
import { UserDialog, type UserTask } from "./UserDialog";
import { UserRow } from "./UserRow";

export function AdminUsersPage() {
  const [query, setQuery] = useState("");
  const [task, setTask] = useState<UserTask | null>(null);
  const client = useQueryClient();
  const found = useQuery({
    queryKey: ["users", "admin", query],
    queryFn: () => answer(listUsers({ query: { limit: 100, ...(query === "" ? {} : { query }) } })),
    placeholderData: keepPreviousData,
  });

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
        {(found.data?.users ?? []).map((user) => (
          <UserRow key={user.id} user={user} onTask={(kind) => setTask({ kind, user })} />
        ))}
      </ul>
      {found.data?.users.length === 0 && <p className="py-6 text-muted">No matching people.</p>}
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
