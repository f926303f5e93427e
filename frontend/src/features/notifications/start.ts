// Connects events, session and choice to the notifications that the service worker shows.

import { chat } from "../../realtime/store";
import { session } from "../session/session";
import { readMarks, subscribeToMarks } from "../unread/read-marks";
import { choice, isNotifying, subscribe } from "./device";
import { noticesOf, roomTag } from "./notice";
import { isNotifier, standForNotifier } from "./notifier";
import { adjustSubscription } from "./push";
import { tellWorker } from "./worker";

/** Called once. `go` shows the page that a notification leads to. */
export function startNotifications(go: (path: string) => void): void {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.addEventListener("message", ({ data, ports }) => {
    if (data?.kind !== "open" || typeof data.path !== "string") return;
    ports[0]?.postMessage(true);
    go(data.path);
  });
  chat.onEvent((event, before) => {
    if (event.kind === "room.read") {
      const { room_id, read_seq } = event.data;
      tellWorker({ kind: "read", tag: roomTag(room_id), upTo: read_seq });
    }
    if (!isNotifying() || !isNotifier()) return;
    for (const notice of noticesOf(event, before, chat.state, choice().preview))
      tellWorker({ kind: "notify", notice });
  });
  standForNotifier();
  followMarks();
  followChoice();
}

/** Private messages are read by a mark of this browser. */
function followMarks(): void {
  let known = readMarks(session.userId ?? undefined);
  subscribeToMarks(() => {
    const marks = readMarks(session.userId ?? undefined);
    for (const [tag, upTo] of Object.entries(marks)) {
      if (tag.startsWith("direct:") && known[tag] !== upTo) tellWorker({ kind: "read", tag, upTo });
    }
    known = marks;
  });
}

function followChoice(): void {
  const adjust = () => void adjustSubscription().catch(() => {});
  let { userId } = session;
  session.subscribe(() => {
    if (session.userId === userId) return;
    // Notifications of the user before may contain what only they may read.
    if (userId !== null) tellWorker({ kind: "close" });
    userId = session.userId;
    adjust();
  });
  const wanted = () => `${session.userId} ${isNotifying()} ${choice().preview}`;
  let known = wanted();
  subscribe(() => {
    if (wanted() === known) return;
    known = wanted();
    if (!isNotifying()) tellWorker({ kind: "close" });
    adjust();
  });
  void navigator.serviceWorker.ready.then(() => {
    void closeRead();
    adjust();
  });
}

/** Closes notifications of what was read on another device while no page was open here. */
async function closeRead(): Promise<void> {
  const registration = await navigator.serviceWorker.getRegistration();
  const shown = (await registration?.getNotifications?.()) ?? [];
  const marks = readMarks(session.userId ?? undefined);
  for (const { tag } of shown) {
    const [kind, id = ""] = tag.split(":");
    const upTo = kind === "room" ? chat.state.rooms?.[id]?.membership?.read_seq : marks[tag];
    if (upTo !== undefined) tellWorker({ kind: "read", tag, upTo });
  }
}
