// Adds and removes the reader's reactions: shown at once, confirmed by the server, and taken back if it refuses.

import { addReaction, removeReaction } from "../../api/gen/sdk.gen";
import { answer, sentence } from "../../api/problem";
import { withChangedReactions } from "../../realtime/apply";
import { chat } from "../../realtime/store";
import { showToast } from "../../ui/Toast";
import { noteUse } from "./often-used";
import { setPending, withOwn } from "./pending-reactions";

interface Target {
  id: string;
  roomId: string;
}

/** Wanted state of each reaction for which a request is on its way. */
const wanted = new Map<string, boolean>();

/** Makes one request at a time for each reaction, until the server has what the reader wanted last. */
export async function setReaction(target: Target, emoji: string, mine: boolean): Promise<void> {
  const { id } = target;
  const key = `${id} ${emoji}`;
  const isBusy = wanted.has(key);
  wanted.set(key, mine);
  setPending(id, emoji, mine);
  if (mine) noteUse(emoji);
  if (isBusy) return;
  try {
    let sent: boolean | undefined;
    while (sent !== wanted.get(key)) {
      sent = wanted.get(key) ?? mine;
      await answer((sent ? addReaction : removeReaction)({ path: { id, emoji } }));
      const isMine = sent;
      // The answer may come before the event, which then changes nothing.
      chat.update((state) =>
        withChangedReactions(state, target.roomId, id, (known) => withOwn(known, emoji, isMine)),
      );
    }
  } catch (error) {
    showToast({ text: `Your reaction was not saved: ${sentence(error)}`, key: "reaction" });
  } finally {
    wanted.delete(key);
    setPending(id, emoji, null);
  }
}
