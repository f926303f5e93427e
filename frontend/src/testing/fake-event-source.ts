import type { ServerEvent } from "../realtime/server-event";

/** An `EventSource` controlled by the test. */
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

  /** Sends a frame as it is; a name of "message" stands for none. */
  sends(name: string, id: string, data: string): void {
    this.dispatchEvent(new MessageEvent(name, { data, lastEventId: id }));
  }

  /** Simulates a broken connection that the browser retries by itself. */
  breaks(): void {
    this.readyState = EventSource.CONNECTING;
    this.dispatchEvent(new Event("error"));
  }

  /** Simulates an HTTP error, after which a browser does not retry. */
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

// jsdom has no `EventSource`; the code needs only its constants.
Object.assign(globalThis, { EventSource: { CONNECTING: 0, OPEN: 1, CLOSED: 2 } });
