import { useQuery, useQueryClient } from "@tanstack/react-query";
import { MailPlus, Plus } from "lucide-react";
import { useState } from "react";
import { listInvitations, revokeInvitation } from "../../api/gen/sdk.gen";
import type { Invitation } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { useServerTraits } from "../../api/use-server-traits";
import { Button } from "../../ui/Button";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { shortTime } from "../../ui/dates";
import { EmptyState } from "../../ui/EmptyState";
import { Notice } from "../../ui/Notice";
import { AdminPage } from "./AdminPage";
import { InvitationDialog } from "./InvitationDialog";

type Task = { kind: "make" } | { kind: "revoke"; invitation: Invitation };

/** Lists invitations, and creates and revokes them. */
export function AdminInvitationsPage() {
  const [task, setTask] = useState<Task | null>(null);
  const { registration } = useServerTraits();
  const client = useQueryClient();
  const made = useQuery({
    queryKey: ["invitations"],
    queryFn: () => answer(listInvitations({ query: { limit: 200 } })),
  });
  const refresh = () => client.invalidateQueries({ queryKey: ["invitations"] });
  const close = () => setTask(null);
  const make = (
    <Button onClick={() => setTask({ kind: "make" })}>
      <Plus className="size-4.5" aria-hidden />
      New invitation
    </Button>
  );
  return (
    <AdminPage title="Invitations" aside={make}>
      {registration === "open" && (
        <Notice tone="calm">Anyone can sign up, with or without an invitation.</Notice>
      )}
      {registration === "closed" && (
        <Notice tone="waiting">Sign-up is closed. Invitations do not work until it is open again.</Notice>
      )}
      {made.error && <Notice tone="danger">{sentence(made.error)}</Notice>}
      {made.data?.invitations.length === 0 && (
        <EmptyState icon={MailPlus} title="No invitations yet">
          Create one and share its link with the people you want to invite.
        </EmptyState>
      )}
      <ul aria-label="Invitations" className="divide-y divide-line">
        {(made.data?.invitations ?? []).map((invitation) => (
          <li key={invitation.id} className="flex items-center gap-3 py-2.5">
            <div className="min-w-0 flex-1">
              <p className={invitation.is_valid ? "font-semibold" : "text-muted"}>{standing(invitation)}</p>
              <p className="truncate text-sm text-muted">
                {`Created by ${invitation.created_by?.username ?? "the operator"}, ${shortTime(invitation.created_at)}`}
              </p>
            </div>
            {invitation.is_valid && (
              <Button look="quiet" onClick={() => setTask({ kind: "revoke", invitation })}>
                Revoke
              </Button>
            )}
          </li>
        ))}
      </ul>
      {task?.kind === "make" && <InvitationDialog onMade={refresh} onClose={close} />}
      {task?.kind === "revoke" && (
        <ConfirmDialog
          title="Revoke this invitation?"
          action="Revoke"
          onConfirm={async () => {
            await answer(revokeInvitation({ path: { id: task.invitation.id } }));
            await refresh();
          }}
          onClose={close}
        >
          <p>Its link stops working. People who already joined with it stay.</p>
        </ConfirmDialog>
      )}
    </AdminPage>
  );
}

/** Says how many uses an invitation has left, or why it is invalid. */
function standing(invitation: Invitation): string {
  const { max_uses, uses, expires_at, revoked_at, is_valid } = invitation;
  const used = `${uses} of ${max_uses} used`;
  if (is_valid) return `${used}, expires ${shortTime(expires_at)}`;
  if (revoked_at) return `${used}, revoked ${shortTime(revoked_at)}`;
  if (uses >= max_uses) return max_uses === 1 ? "Used" : `All ${max_uses} used`;
  if (Date.parse(expires_at) <= Date.now()) return `${used}, expired ${shortTime(expires_at)}`;
  return `${used}; no longer valid, because its creator is not an admin anymore`;
}
