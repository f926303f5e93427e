import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { editMessage } from "../../api/gen/sdk.gen";
import { answer, sentence } from "../../api/problem";
import { withEdited } from "../../realtime/apply";
import { timelineMessage } from "../../realtime/state";
import { chat } from "../../realtime/store";
import { Button } from "../../ui/Button";
import { useDraft } from "../composer/drafts";

interface MessageEditorProps {
  userId: string;
  messageId: string;
  body: string;
  onDone(): void;
}

/** Edits a message in its place. What was typed is kept until it is saved or given up. */
export function MessageEditor({ userId, messageId, body, onDone }: MessageEditorProps) {
  const [kept, setKept] = useDraft(userId, `edit:${messageId}`);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const text = kept === "" ? body : kept;

  useEffect(() => {
    const area = field.current;
    area?.focus();
    area?.setSelectionRange(area.value.length, area.value.length);
  }, []);

  function giveUp() {
    setKept("");
    onDone();
  }

  async function save() {
    const next = text.trim();
    if (next === "" || next === body) return giveUp();
    setBusy(true);
    try {
      const message = await answer(editMessage({ path: { id: messageId }, body: { body: next } }));
      chat.update((state) => withEdited(state, timelineMessage(message)));
      giveUp();
    } catch (error) {
      setProblem(sentence(error));
      setBusy(false);
    }
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      giveUp();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void save();
    }
  }

  return (
    <form
      className="my-1 flex max-w-[72ch] flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <textarea
        ref={field}
        value={text}
        dir="auto"
        aria-label="Edit message"
        onChange={(event) => setKept(event.target.value)}
        onKeyDown={onKeyDown}
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
        <span className="hidden text-xs text-muted md:inline">Enter saves, Escape cancels</span>
      </div>
    </form>
  );
}
