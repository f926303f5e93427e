import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { editMessage } from "../../api/gen/sdk.gen";
import type { Author } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { withEdited } from "../../realtime/apply";
import { timelineMessage } from "../../realtime/state";
import { chat } from "../../realtime/store";
import { Button } from "../../ui/Button";
import { isComposing } from "../../ui/keys";
import { isTouch } from "../../ui/media";
import { detachAll, useAttached } from "../composer/attached";
import { readDraft, writeDraft } from "../composer/drafts";
import { MessageField } from "../composer/MessageField";
import { toNames, toTokens } from "../composer/mention-text";
import { useMentions } from "../composer/use-mentions";

interface MessageEditorProps {
  userId: string;
  roomId: string;
  messageId: string;
  body: string;
  mentions: readonly Author[];
  onDone(): void;
  /** Called when the message was cleared. */
  onEmptied(): void;
}

/** Edits a message in place. The typed text is kept until it is saved or cancelled. */
export function MessageEditor(props: MessageEditorProps) {
  const { userId, roomId, messageId, body, mentions, onDone, onEmptied } = props;
  const place = `edit:${messageId}` as const;
  const shown = toNames(body, mentions);
  const [text, setText] = useState(() => readDraft(userId, place) || shown);
  const { people = [] } = useAttached(userId, place);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const mentioning = useMentions({ userId, place, roomId, field });

  useEffect(() => {
    let frame = 0;
    const begin = () => {
      const area = field.current;
      if (!area) return;
      // The list scrolls to the row, and hides a row until it has been measured; a hidden row cannot take the focus.
      area.focus({ preventScroll: true });
      if (document.activeElement !== area) {
        frame = requestAnimationFrame(begin);
        return;
      }
      area.setSelectionRange(area.value.length, area.value.length);
      form.current?.scrollIntoView?.({ block: "nearest" });
    };
    begin();
    return () => cancelAnimationFrame(frame);
  }, []);

  function type(next: string) {
    setText(next);
    writeDraft(userId, place, next === shown ? "" : next);
    mentioning.look();
  }

  function giveUp() {
    writeDraft(userId, place, "");
    detachAll(userId, place);
    onDone();
  }

  async function save() {
    const { body: next, mentions: mentioned } = toTokens(text.trim(), [...mentions, ...people]);
    if (isBusy) return;
    if (next === "") return onEmptied();
    if (next === body) return giveUp();
    const ids = mentioned.map(({ id }) => id);
    // A server of an earlier release refuses fields that it does not know.
    const edit = { body: next, ...(ids.length > 0 && { mentions: ids }) };
    setBusy(true);
    try {
      const message = await answer(editMessage({ path: { id: messageId }, body: edit }));
      chat.update((state) => withEdited(state, timelineMessage(message)));
      giveUp();
    } catch (error) {
      setProblem(sentence(error));
      setBusy(false);
    }
  }

  function onKeyDown(event: KeyboardEvent) {
    if (isComposing(event)) return;
    if (mentioning.onKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      giveUp();
    }
  }

  return (
    <form
      ref={form}
      className="relative my-1 flex max-w-[72ch] flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {mentioning.list}
      <MessageField
        ref={field}
        value={text}
        onType={type}
        onEnter={() => void save()}
        onKeyDown={onKeyDown}
        aria-label="Edit message"
        {...mentioning.field}
        className="max-h-64 min-h-11 w-full resize-none rounded-xl border border-edge bg-raised px-3 py-2 text-base [field-sizing:content] md:text-[0.9375rem]"
      />
      {problem && (
        <p role="alert" className="text-sm font-medium text-danger">
          {problem}
        </p>
      )}
      <div className="flex items-center gap-2">
        <Button type="submit" isBusy={isBusy} className="md:min-h-8 md:text-sm">
          Save
        </Button>
        <Button look="quiet" onClick={giveUp} className="md:min-h-8 md:text-sm">
          Cancel
        </Button>
        {!isTouch() && (
          <span className="hidden text-xs text-muted md:inline">Enter to save, Esc to cancel</span>
        )}
      </div>
    </form>
  );
}
