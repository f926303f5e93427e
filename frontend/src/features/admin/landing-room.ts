import { setLanding } from "../../api/gen/sdk.gen";
import type { Room } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { chat } from "../../realtime/store";
import { showToast } from "../../ui/Toast";
import { reportDone } from "./done";

/** Makes this room the one in which newcomers begin, and offers to undo it. */
export async function makeLandingRoom(room: Room): Promise<void> {
  const before = Object.values(chat.state.rooms ?? {}).find(({ landing }) => landing);
  const set = ({ id }: Room) => answer(setLanding({ path: { id } }));
  try {
    await set(room);
    reportDone(`“${room.name}” is now the landing room`, before && (() => set(before)));
  } catch (error) {
    showToast({ text: "Could not change the landing room", detail: sentence(error) });
  }
}
