// Private messages that arrive elsewhere in the app, and the card that offers notifications.

import { Bell } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { DirectMessage } from "../../api/gen/types.gen";
import { useServerTraits } from "../../api/use-server-traits";
import type { ServerEvent } from "../../realtime/server-event";
import { chat } from "../../realtime/store";
import { Button } from "../../ui/Button";
import { useLocation, useNavigate } from "../../ui/router";
import { showToast } from "../../ui/Toast";
import { useViewer } from "../session/use-session";
import { readMarks } from "../unread/read-marks";
import { mayAsk, noteAsked, turnOn } from "./device";
import { directTag, ofDirect } from "./notice";
import { startNotifications } from "./start";

const DIRECT_MS = 6_000;
const AFTER_TOAST_MS = 1_000;

let isStarted = false;

export function Notifications() {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const viewer = useViewer();
  const { dm_replies: repliesAllowed } = useServerTraits();
  const [isAsking, setAsking] = useState(false);

  const hear = useRef((_: ServerEvent) => {});
  useEffect(() => {
    hear.current = (event) => {
      if (document.visibilityState !== "visible") return;
      if (event.kind === "direct.posted") {
        if (event.data.sender.id !== viewer?.id) toast(event.data);
        // Not under the toast.
        if (mayAsk()) setTimeout(() => mayAsk() && ask(), DIRECT_MS + AFTER_TOAST_MS);
      }
      if (event.kind === "message.posted" && event.data.author.id === viewer?.id && mayAsk()) ask();
    };
  });

  function ask() {
    noteAsked();
    setAsking(true);
  }

  function toast(message: DirectMessage) {
    const { id, username } = message.sender;
    const isRead = (readMarks(viewer?.id)[directTag(id)] ?? 0) >= message.pos;
    const notice = ofDirect(message, chat.state, true);
    if (!notice || isRead || pathname === notice.url) return;
    const open = { label: "Open", onSelect: () => navigate(notice.url) };
    const mayReply = viewer?.role === "admin" || repliesAllowed === true;
    const reply = {
      label: "Reply",
      onSelect: () => {
        navigate(notice.url);
        focusField();
      },
    };
    showToast({
      text: `Private message from ${username}`,
      detail: notice.text ?? "",
      tone: "private",
      key: notice.tag,
      isAtTop: true,
      ms: DIRECT_MS,
      action: mayReply ? reply : open,
      ...(mayReply ? { second: open } : {}),
    });
  }

  useEffect(() => chat.onEvent((event) => hear.current(event)), []);
  useEffect(() => {
    if (isStarted) return;
    isStarted = true;
    startNotifications(navigate);
  }, [navigate]);

  return isAsking && viewer ? <Card onDone={() => setAsking(false)} /> : null;
}

/** Opens the keyboard of a phone, too: the field appears with the page, within a few frames. */
function focusField(frames = 60): void {
  const field = document.querySelector<HTMLElement>('[data-composer][aria-label^="Private message"]');
  if (field) field.focus();
  else if (frames > 0) requestAnimationFrame(() => focusField(frames - 1));
}

function Card({ onDone }: { onDone(): void }) {
  const [isBusy, setBusy] = useState(false);

  async function accept() {
    setBusy(true);
    const answer = await turnOn();
    onDone();
    if (answer === "granted")
      showToast({ text: "Notifications are on", detail: "You can change this in Settings." });
    if (answer === "denied")
      showToast({
        text: "Your browser blocks notifications",
        detail: "Settings explains how to allow them.",
      });
  }

  return (
    <section
      aria-label="Notifications"
      className="rise fixed inset-x-3 top-18 z-30 flex flex-wrap items-center gap-3 rounded-2xl border border-line bg-raised p-4 shadow-float md:right-5 md:left-auto md:w-96"
    >
      <Bell className="size-5 shrink-0 text-accent" aria-hidden />
      <p className="min-w-0 flex-1 font-medium">Get notified when somebody mentions you?</p>
      <div className="flex w-full justify-end gap-2">
        <Button look="quiet" onClick={onDone}>
          Not now
        </Button>
        <Button isBusy={isBusy} onClick={() => void accept()}>
          Turn on
        </Button>
      </div>
    </section>
  );
}
