import { withKept } from "../../realtime/snapshots";
import { chat } from "../../realtime/store";
import { keptRooms } from "./kept";

/** Shows what was kept, unless the server has answered meanwhile. */
export async function restoreKept(): Promise<void> {
  if (!("caches" in window)) return;
  const rooms = await keptRooms().catch(() => []);
  if (rooms.length > 0) chat.update((state) => withKept(state, rooms));
}
