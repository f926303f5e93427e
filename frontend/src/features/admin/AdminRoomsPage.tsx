import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Archive, ArchiveRestore, Hash, Hourglass, MessageSquareText, Pencil, Plus } from "lucide-react";
import { useEffect, useState } from "react";
import { Link } from "react-router";
import { archiveRoom, listRooms, restoreRoom } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { useChat } from "../../realtime/store";
import { Button, IconButton } from "../../ui/Button";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { EmptyState } from "../../ui/EmptyState";
import { Notice } from "../../ui/Notice";
import { onlineSentence } from "../rooms/RoomHeader";
import { useRooms } from "../rooms/use-rooms";
import { AdminPage } from "./AdminPage";
import { keptSentence, RetentionDialog } from "./RetentionDialog";
import { RoomNameDialog } from "./RoomNameDialog";
import { RoomTopicDialog } from "./RoomTopicDialog";

type Task = { kind: "create" } | { kind: "rename" | "topic" | "retention" | "archive"; room: Room };

export function AdminRoomsPage() {
  const rooms = useRooms();
  const [task, setTask] = useState<Task | null>(null);
  const close = () => setTask(null);
  const create = (
    <Button onClick={() => setTask({ kind: "create" })}>
      <Plus className="size-4.5" aria-hidden />
      New room
    </Button>
  );
  return (
    <AdminPage title="Rooms" aside={create}>
      {rooms?.length === 0 && (
        <EmptyState icon={Hash} title="No rooms yet">
          Create the first one. Everyone will see it right away.
        </EmptyState>
      )}
      <ul aria-label="Active rooms" className="divide-y divide-line">
        {(rooms ?? []).map((room) => (
          <li key={room.id} className="flex items-center gap-2 py-2">
            <div className="min-w-0 flex-1">
              <Link to={`/r/${room.id}`} className="block truncate font-semibold hover:text-accent">
                {room.name}
              </Link>
              <p className="truncate text-sm text-muted">
                {[
                  messageCount(room.head_seq),
                  onlineSentence(room.online),
                  ...(room.retention_days === null ? [] : [keptSentence(room.retention_days)]),
                ].join(" · ")}
              </p>
            </div>
            <IconButton label={`Rename ${room.name}`} onClick={() => setTask({ kind: "rename", room })}>
              <Pencil className="size-4.5" aria-hidden />
            </IconButton>
            <IconButton label={`Topic of ${room.name}`} onClick={() => setTask({ kind: "topic", room })}>
              <MessageSquareText className="size-4.5" aria-hidden />
            </IconButton>
            <IconButton
              label={`Message retention in ${room.name}`}
              onClick={() => setTask({ kind: "retention", room })}
            >
              <Hourglass className="size-4.5" aria-hidden />
            </IconButton>
            <IconButton label={`Archive ${room.name}`} onClick={() => setTask({ kind: "archive", room })}>
              <Archive className="size-4.5" aria-hidden />
            </IconButton>
          </li>
        ))}
      </ul>
      <ArchivedRooms />
      {task?.kind === "create" && <RoomNameDialog onClose={close} />}
      {task?.kind === "rename" && <RoomNameDialog room={task.room} onClose={close} />}
      {task?.kind === "topic" && <RoomTopicDialog room={task.room} onClose={close} />}
      {task?.kind === "retention" && <RetentionDialog room={task.room} onClose={close} />}
      {task?.kind === "archive" && (
        <ConfirmDialog
          title={`Archive “${task.room.name}”?`}
          action="Archive room"
          onConfirm={() => answer(archiveRoom({ path: { id: task.room.id } }))}
          onClose={close}
        >
          <p>
            The room disappears from every list, and people in it are told right away. Its messages are kept,
            and you can restore it from this page.
          </p>
        </ConfirmDialog>
      )}
    </AdminPage>
  );
}

function ArchivedRooms() {
  const version = useChat((state) => state.roomsVersion);
  const client = useQueryClient();
  const archived = useQuery({
    queryKey: ["rooms", "archived"],
    queryFn: () => answer(listRooms({ query: { archived: true } })),
  });
  const [problem, setProblem] = useState<string | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: every change of a room, by whomever, may change this list
  useEffect(() => {
    void client.invalidateQueries({ queryKey: ["rooms", "archived"] });
  }, [client, version]);

  const rooms = (archived.data?.rooms ?? []).filter((room) => room.is_archived);
  if (rooms.length === 0) return null;
  return (
    <section aria-label="Archived rooms" className="mt-10">
      <h2 className="text-lg font-bold">Archived</h2>
      {problem && <Notice tone="danger">{problem}</Notice>}
      <ul className="mt-1 divide-y divide-line">
        {rooms.map((room) => (
          <li key={room.id} className="flex items-center gap-2 py-2">
            <div className="min-w-0 flex-1">
              <p className="truncate font-semibold text-muted">{room.name}</p>
              <p className="text-sm text-muted">{messageCount(room.head_seq)}</p>
            </div>
            <Button
              look="quiet"
              aria-label={`Restore ${room.name}`}
              onClick={() =>
                answer(restoreRoom({ path: { id: room.id } })).then(
                  () => setProblem(null),
                  (error) => setProblem(sentence(error)),
                )
              }
            >
              <ArchiveRestore className="size-4.5" aria-hidden />
              Restore
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

const messageCount = (count: number) => (count === 1 ? "1 message" : `${count} messages`);
