import type { ServerEvent } from "../realtime/server-event";

/** An `EventSource` whose server is the test. */
export class FakeEventSource extends EventTarget {
  static opened: FakeEventSource[] = [];

  readyState: number = EventSource.CONNECTING;

  constructor(readonly query: URLSearchParams) {
    super();
    FakeEventSource.opened.push(this);
  }

  static get newest(): FakeEventSource {
    const newest = FakeEventSource.opened.at(-1);
    if (!newest) throw new Error("No stream was opened.");
    return newest;
  }

  says({ kind, id, data }: ServerEvent): void {
    this.readyState = EventSource.OPEN;
    this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data), lastEventId: id ?? "" }));
  }

  /** The connection broke; the browser is trying again by itself. */
  breaks(): void {
    this.readyState = EventSource.CONNECTING;
    this.dispatchEvent(new Event("error"));
  }

  /** The server answered with an HTTP error: a browser gives up for good. */
  isRefused(): void {
    this.readyState = EventSource.CLOSED;
    this.dispatchEvent(new Event("error"));
  }

  close(): void {
    this.readyState = EventSource.CLOSED;
  }

  get isClosed(): boolean {
    return this.readyState === EventSource.CLOSED;
  }
}

// jsdom knows no `EventSource`; the constants are all that the code asks of it.
Object.assign(globalThis, { EventSource: { CONNECTING: 0, OPEN: 1, CLOSED: 2 } });
