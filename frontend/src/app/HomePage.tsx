import { CloudAlert, Hash } from "lucide-react";
import { sentence } from "../api/problem";
import { useRooms, useRoomsSnapshot } from "../features/rooms/use-rooms";
import { visitedRooms } from "../features/rooms/visited";
import { useViewer } from "../features/session/use-session";
import { TimelineSkeleton } from "../features/timeline/separators";
import { useChat } from "../realtime/store";
import { Button, buttonClass } from "../ui/Button";
import { EmptyState } from "../ui/EmptyState";
import { PageHeader } from "../ui/PageHeader";
import { Link, Redirect } from "../ui/router";
import { useTitle } from "../ui/use-title";

/**
 * Redirects to the last room, so that nobody has to choose before reading. Newcomers begin in the landing room, or in the
 * one with the newest message.
 */
export function HomePage() {
  const rooms = useRooms();
  const { error, refetch } = useRoomsSnapshot();
  const viewer = useViewer();
  useTitle("Rooms");

  const isComplete = useChat((state) => state.roomsNext === null);
  const [last] = visitedRooms();
  const known = rooms?.find(({ id }) => id === last)?.id;
  // A visited room beyond the loaded pages is loaded by its own page.
  const landing = useChat((state) => state.landing);
  const roomId = known ?? (rooms ? ((isComplete ? undefined : last) ?? landing ?? rooms[0]?.id) : undefined);
  if (roomId) return <Redirect to={`/r/${roomId}`} />;
  return (
    <>
      <PageHeader title="Rooms" />
      {rooms ? (
        <EmptyState
          icon={Hash}
          title="No rooms yet"
          action={
            viewer?.role === "admin" && (
              <Link to="/admin/rooms" className={buttonClass()}>
                Create the first room
              </Link>
            )
          }
        >
          {viewer?.role === "admin"
            ? "Everyone will see it right away."
            : "Rooms appear here as soon as an admin creates one."}
        </EmptyState>
      ) : error ? (
        <EmptyState
          icon={CloudAlert}
          title="Could not load rooms"
          action={<Button onClick={() => void refetch()}>Try again</Button>}
        >
          {sentence(error)}
        </EmptyState>
      ) : (
        <TimelineSkeleton />
      )}
    </>
  );
}
