import { Button } from "../../ui/Button";
import { focusComposer } from "../../ui/focus-net";
import { readDraft, useDraft, writeDraft } from "../composer/drafts";
import { KeptText } from "./KeptText";

interface LostEditProps {
  userId: string;
  roomId: string;
  messageId: string;
  onDone(): void;
}

/** The edited text of a message that was deleted during the edit. */
export function LostEdit({ userId, roomId, messageId, onDone }: LostEditProps) {
  const [text, setText] = useDraft(userId, `edit:${messageId}`);
  if (text === "") return null;

  function discard() {
    setText("");
    onDone();
  }

  function move() {
    const typed = readDraft(userId, `room:${roomId}`);
    writeDraft(userId, `room:${roomId}`, typed === "" ? text : `${text}\n${typed}`);
    discard();
    focusComposer();
  }

  return (
    <div className="column px-3 pb-2 md:px-4">
      <KeptText title="Your unfinished edit" text={text} note="The message you were editing was deleted.">
        <Button className="md:min-h-8 md:text-sm" onClick={move}>
          Move to message box
        </Button>
        <Button look="quiet" className="md:min-h-8 md:text-sm" onClick={discard}>
          Discard
        </Button>
      </KeptText>
    </div>
  );
}
