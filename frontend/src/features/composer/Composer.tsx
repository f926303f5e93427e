import { SendHorizontal } from "lucide-react";
import { type KeyboardEvent, lazy, Suspense, useEffect, useId, useRef, useState } from "react";
import type { Author } from "../../api/gen/types.gen";
import { loadChunk } from "../../browser/chunks";
import { Button } from "../../ui/Button";
import { mayTakeFocus } from "../../ui/focus-net";
import { isComposing } from "../../ui/keys";
import { hasKeyboard, isTouch } from "../../ui/media";
import { noteTyping } from "../people/announce";
import { useViewer } from "../session/use-session";
import { attach, detachAll, useAttached } from "./attached";
import { outboxOf } from "./current-outbox";
import { type Lane, useDraft } from "./drafts";
import { commandOf } from "./editing";
import { MessageField } from "./MessageField";
import { namesRoom, toTokens } from "./mention-text";
import { ReplyBar } from "./ReplyBar";
import { useMentions } from "./use-mentions";

const RoomQuestion = lazy(() =>
  loadChunk(() => import("./RoomQuestion")).then((module) => ({ default: module.RoomQuestion })),
);

/** The server's limit, in characters (code points), not UTF-16 units. */
const LONGEST_MESSAGE = 4_000;
/** The counter is shown above this length. */
const COUNT_FROM = 3_500;

const NOBODY: readonly Author[] = [];

interface ComposerProps {
  userId: string;
  lane: Lane;
  /** Accessible name of the field, also its placeholder. */
  label: string;
  isPrivate?: boolean;
  /** Called on ArrowUp in the empty field. */
  onEditLast?(): void;
}

export function Composer({ userId, lane, label, isPrivate = false, onEditLast }: ComposerProps) {
  const [text, setText] = useDraft(userId, lane);
  const { replyTo, people = NOBODY } = useAttached(userId, lane);
  const field = useRef<HTMLTextAreaElement>(null);
  const roomId = lane.startsWith("room:") ? lane.slice("room:".length) : null;
  const mentioning = useMentions({ userId, place: lane, roomId, field });
  const countId = useId();
  const { body, mentions } = toTokens(text.trim(), people);
  const length = [...body].length;
  const isTooLong = length > LONGEST_MESSAGE;
  const command = commandOf(body);
  const [heldBack, setHeldBack] = useState<string | null>(null);
  const isHeldBack = command !== null && heldBack === command;
  const isAdmin = useViewer()?.role === "admin";
  const isCall = isAdmin && roomId !== null && namesRoom(body);
  /** The body about which the question is shown. */
  const [asked, setAsked] = useState<string | null>(null);

  // Do not open a touch keyboard uninvited; with a hardware keyboard, focus the field right away.
  useEffect(() => {
    if (hasKeyboard() && mayTakeFocus()) field.current?.focus({ preventScroll: true });
  }, []);

  function sendUnlessCommand() {
    if (command !== null) setHeldBack(command);
    else if (isCall && !isTooLong) setAsked(body);
    else send();
  }

  function send(mentionsRoom = false) {
    if (body === "" || isTooLong) return;
    outboxOf(userId).send(lane, body, { replyTo: replyTo ?? null, mentions, mentionsRoom });
    setAsked(null);
    setText("");
    detachAll(userId, lane);
    setHeldBack(null);
    field.current?.focus();
  }

  function cancelReply() {
    attach(userId, lane, { replyTo: undefined });
    field.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent) {
    if (isComposing(event)) return;
    if (mentioning.onKey(event)) event.preventDefault();
    else if (event.key === "Escape" && replyTo) {
      event.preventDefault();
      cancelReply();
    } else if (event.key === "ArrowUp" && !event.altKey && text === "" && onEditLast) {
      event.preventDefault();
      onEditLast();
    }
  }

  const button = isPrivate ? "bg-private text-on-private" : "bg-accent text-on-accent";
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        sendUnlessCommand();
      }}
      className="column px-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] md:px-4"
    >
      {isHeldBack && (
        <div role="alert" className="rise flex flex-wrap items-center gap-x-3 gap-y-1 px-3 pb-2 text-sm">
          <span>{`There is no command ${command}.`}</span>
          <Button look="quiet" className="md:min-h-8 md:text-sm" onClick={() => send()}>
            Send as text
          </Button>
        </div>
      )}
      {isCall && asked === body && (
        <Suspense fallback={null}>
          <RoomQuestion roomId={roomId} onSend={send} onCancel={() => setAsked(null)} />
        </Suspense>
      )}
      {replyTo && roomId && <ReplyBar roomId={roomId} quote={replyTo} onCancel={cancelReply} />}
      <div
        className={`relative flex items-end gap-2 rounded-2xl border bg-raised p-1.5 shadow-low transition-colors focus-within:outline-2 focus-within:-outline-offset-1 ${isPrivate ? "border-private/50 focus-within:outline-private" : "border-edge/60 focus-within:outline-accent"}`}
      >
        {mentioning.list}
        <MessageField
          ref={field}
          value={text}
          onType={(next) => {
            setText(next);
            if (roomId && next !== text && next.trim() !== "" && !next.startsWith("/")) noteTyping(roomId);
            mentioning.look();
          }}
          onEnter={sendUnlessCommand}
          onKeyDown={onKeyDown}
          rows={1}
          aria-label={label}
          aria-describedby={length >= COUNT_FROM ? countId : undefined}
          aria-invalid={isTooLong || undefined}
          placeholder={label}
          enterKeyHint={isTouch() ? "enter" : "send"}
          data-composer
          {...mentioning.field}
          className="max-h-48 min-h-11 min-w-0 flex-1 resize-none bg-transparent px-3 py-2.5 text-base outline-none [field-sizing:content] md:min-h-9 md:py-1.5 md:text-[0.9375rem]"
        />
        {length >= COUNT_FROM && (
          <span
            id={countId}
            className={`py-2 text-xs ${isTooLong ? "font-semibold text-danger" : "text-muted"}`}
          >
            {`${length} / ${LONGEST_MESSAGE}`}
          </span>
        )}
        <button
          type="submit"
          aria-label="Send"
          title={isTouch() ? "Send" : "Send (Enter)"}
          disabled={body === "" || isTooLong}
          className={`grid size-11 shrink-0 place-items-center rounded-xl transition-opacity disabled:bg-surface disabled:text-muted md:size-9 ${button}`}
        >
          <SendHorizontal className="size-5 md:size-4.5" aria-hidden />
        </button>
      </div>
    </form>
  );
}
