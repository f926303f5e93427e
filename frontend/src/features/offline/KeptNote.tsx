import { useChat } from "../../realtime/store";
import { shortTime } from "../../ui/dates";
import { Notice } from "../../ui/Notice";

/** Says how old the messages of a room are that is shown without a network. */
export function KeptNote({ roomId }: { roomId: string | undefined }) {
  const kept = useChat((state) => state.kept);
  const readAt = roomId && kept?.[roomId];
  if (!readAt) return null;
  return (
    <div className="px-3">
      <Notice tone="waiting">
        <span>{`Showing messages saved on ${shortTime(readAt)}.`}</span>
      </Notice>
    </div>
  );
}
