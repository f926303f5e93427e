// Turns messages into the rows of a timeline: days, runs of one author, the line above what is new. Pure.

/** What a row needs to know of a message, public or private, confirmed or on its way. */
export interface RowMessage {
  /** Stable from the first keystroke's send to the confirmed message, so that a row never blinks. */
  key: string;
  authorId: string;
  writtenAt: string;
}

export type Row<Message extends RowMessage> =
  | { kind: "day"; key: string; date: Date }
  | { kind: "new"; key: string }
  | { kind: "message"; key: string; message: Message; isFirstOfRun: boolean };

/** Messages of one author closer together than this read as one. */
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

/** The calendar day where the reader is, not in UTC. */
function dayKey(date: Date): string {
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
