// A room's page comes with its messages in it, for readers without JavaScript (docs/adr/0014). The app of somebody who is
// here for the first time begins with them instead of asking for them again.

import type { ListMessagesResponse, Room } from "../api/gen/types.gen";
import { withNewestMessages, withOpenRoom, withRoom } from "../realtime/snapshots";
import { chat } from "../realtime/store";

/** Takes over what the server wrote into the page. Called before the first render, which removes it. */
export function takeOver(): void {
  openAtDay();
  const json = document.getElementById("first-page")?.textContent;
  // Somebody who was here before may have a place of their own in the room, and more rooms.
  if (!json || document.documentElement.classList.contains("returning")) return;
  const { room, page }: { room: Room; page: ListMessagesResponse } = JSON.parse(json);
  chat.update((state) => {
    const opened = withOpenRoom(withRoom(state, room, state.roomsVersion), room.id);
    return withNewestMessages(opened, room.id, page);
  });
}

/** The app knows addresses of messages only, so that of a day becomes that of the day's first message. */
function openAtDay(): void {
  const seq = document.querySelector<HTMLElement>("main.early")?.dataset.at;
  const day = /\/\d{4}-\d{2}-\d{2}\/?$/;
  if (seq && day.test(location.pathname)) {
    history.replaceState(history.state, "", location.pathname.replace(day, `/${seq}`));
  }
}
