// Turns messages into the rows of a timeline: days, runs of one author, the line above new messages. Pure.

/** The fields of a message that a row needs: public or private, confirmed or unsent. */
export interface RowMessage {
  /** Stable from sending to the confirmed message, so that the row is not rendered anew. */
  key: string;
  authorId: string;
  writtenAt: string;
}

export type Row<Message extends RowMessage> =
  | { kind: "day"; key: string; date: Date }
  | { kind: "new"; key: string }
  | { kind: "message"; key: string; message: Message; isFirstOfRun: boolean };

/** Messages of one author closer together than this form a run. */
const RUN_MS = 5 * 60_000;

export function timelineRows<Message extends RowMessage>(
  messages: readonly Message[],
  isNew: (message: Message) => boolean = () => false,
): Row<Message>[] {
  const rows: Row<Message>[] = [];
  let previous: Message | undefined;
  let isNewShown = false;

  for (const message of messages) {
    const date = new Date(message.writtenAt);
    const isNewDay = !previous || !isSameDay(new Date(previous.writtenAt), date);
    if (isNewDay) rows.push({ kind: "day", key: `day ${dayKey(date)}`, date });
    const isFirstNew: boolean = !isNewShown && isNew(message);
    if (isFirstNew) rows.push({ kind: "new", key: "new" });
    isNewShown ||= isFirstNew;

    const isFirstOfRun = isNewDay || isFirstNew || !isSameRun(previous, message);
    rows.push({ kind: "message", key: message.key, message, isFirstOfRun });
    previous = message;
  }
  return rows;
}

function isSameRun(previous: RowMessage | undefined, message: RowMessage): boolean {
  return (
    previous !== undefined &&
    previous.authorId === message.authorId &&
    Date.parse(message.writtenAt) - Date.parse(previous.writtenAt) < RUN_MS
  );
}

function isSameDay(a: Date, b: Date): boolean {
  return dayKey(a) === dayKey(b);
}

/** The calendar day in the reader's time zone. */
function dayKey(date: Date): string {
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
