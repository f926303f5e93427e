import { CornerDownRight, PinOff } from "lucide-react";
import { useEffect, useRef } from "react";
import type { Room } from "../../api/gen/types.gen";
import type { TimelineMessage } from "../../realtime/state";
import { Avatar } from "../../ui/Avatar";
import { Button, IconButton } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { briefTime, fullTime } from "../../ui/dates";
import { useViewer } from "../session/use-session";
import { MessageText } from "./MessageText";
import { unpin } from "./pinning";
import { jump, usePins } from "./pins";

/** The pinned messages of a room. Opening one shows it in the room. */
export function PinsPanel({ room, onClose }: { room: Room; onClose(): void }) {
  const pins = usePins(room.id);
  const isAdmin = useViewer()?.role === "admin" && !room.is_archived;
  const list = useRef<HTMLUListElement>(null);
  // The row of an unpinned message takes its button along.
  const count = pins.length;
  const before = useRef(count);
  useEffect(() => {
    const isFewer = count < before.current;
    before.current = count;
    const isLost = !list.current?.closest("dialog")?.contains(document.activeElement);
    if (isFewer && isLost) list.current?.querySelector("button")?.focus();
  }, [count]);
  return (
    <Dialog title={`Pinned in ${room.name}`} onClose={onClose}>
      {count === 0 && <p className="text-muted">Nothing is pinned in this room any more.</p>}
      <ul ref={list} aria-label="Pinned messages" className="flex flex-col divide-y divide-line">
        {pins.map((message) => (
          <PinRow
            key={message.id}
            message={message}
            {...(isAdmin && { onUnpin: () => void unpin(message) })}
            onShow={() => {
              onClose();
              jump.set({ roomId: room.id, seq: message.seq });
            }}
          />
        ))}
      </ul>
    </Dialog>
  );
}

interface PinRowProps {
  message: TimelineMessage;
  onUnpin?(): void;
  onShow(): void;
}

function PinRow({ message, onUnpin, onShow }: PinRowProps) {
  const { author, body, created_at, mentions } = message;
  return (
    <li className="flex gap-3 py-3">
      <Avatar name={author.username} />
      <div className="min-w-0 flex-1">
        <p className="flex items-baseline gap-2">
          <span translate="no" className="truncate font-semibold">
            {author.username}
          </span>
          <time dateTime={created_at} title={fullTime(created_at)} className="shrink-0 text-xs text-muted">
            {briefTime(created_at)}
          </time>
        </p>
        <div className="max-h-36 overflow-hidden">
          <MessageText body={body ?? ""} mentions={mentions} />
        </div>
        <div className="mt-1 flex items-center gap-1">
          <Button look="quiet" onClick={onShow} className="md:min-h-8 md:text-sm">
            <CornerDownRight className="size-4" aria-hidden />
            Go to message
          </Button>
          {onUnpin && (
            <IconButton label={`Unpin the message of ${author.username}`} onClick={onUnpin}>
              <PinOff className="size-4.5" aria-hidden />
            </IconButton>
          )}
        </div>
      </div>
    </li>
  );
}
