// One continuous stream over many connections: opens, monitors, resumes from the last position, and hands over to a new
// connection without a gap. Does not know the contents of rooms, or React.

import { COMPACT_KINDS, type RoomTags, roomTags } from "./compact";
import { EVENT_KINDS, type EventKind } from "./events";
import { isAboutStream, parseEvent, type ServerEvent } from "./server-event";

/** "held-back": the server answers other requests, but something in between buffers the stream. */
export type ConnectionStatus = "connecting" | "live" | "reconnecting" | "offline" | "held-back";

export interface StreamRequest {
  rooms: readonly string[];
  /** Rooms whose news are shown in a list; null for those of all rooms. */
  follow: readonly string[] | null;
  token: string | null;
}

const isSameRequest = (a: StreamRequest, b: StreamRequest) =>
  a.token === b.token && a.rooms.join() === b.rooms.join() && a.follow?.join() === b.follow?.join();

/** Dependencies and callbacks of the stream. */
export interface StreamPorts {
  openSource(query: URLSearchParams): EventSource;
  /** Identifies the reader's connections to the server, so that a new one replaces the earlier one at once. */
  clientId(): string;
  onEvent(event: ServerEvent): void;
  onStatus(status: ConnectionStatus): void;
  /** The token is about to expire, has expired, or was refused. A newer one is passed to `want`. */
  onTokenEnding(why: "expiring" | "ended" | "revoked"): void;
  /** The server or another tab sent something that only a newer release can read. */
  onUnknownEvent(): void;
  /** Returns whether the server answers an ordinary request. */
  isServerThere(): Promise<boolean>;
}

/** Beyond this many missed events, loading a fresh page is cheaper than replaying them. */
const REPLAY_LIMIT = 500;
/**
 * Time after which a connection without a hello is abandoned: TCP, TLS and the request take 10 s at a round trip of 2.4
 * s.
 */
const HELLO_TIMEOUT_MS = 30_000;
/** Time without a hello after which a server that answers other requests is assumed to be behind a buffering proxy. */
const HELD_BACK_AFTER_MS = 5_000;
/** Added to two heartbeat intervals before a silent connection is considered dead: a busy phone may be late. */
const WATCHDOG_SLACK_MS = 5_000;
/** Time after the browser reported no network in which arriving events may have been sent before. */
const IN_FLIGHT_MS = 5_000;
const FIRST_RETRY_MS = 500;
/** Minimum delay, even if the server requests a shorter one. */
const SHORTEST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 15_000;
/** Number of remembered ids, to drop duplicates while two connections overlap during a handover. */
const REMEMBERED_IDS = 2_000;

class Connection {
  readonly isFresh: boolean;
  helloSeen = false;
  watchdog: ReturnType<typeof setTimeout> | undefined;
  suspicion: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly source: EventSource,
    cursor: string | null,
  ) {
    this.isFresh = cursor === null;
  }

  close(): void {
    clearTimeout(this.watchdog);
    clearTimeout(this.suspicion);
    this.source.close();
  }
}

export class ChatStream {
  #request: StreamRequest;
  #cursor: string | null;
  /** The active connection. */
  #current: Connection | null = null;
  /** The connection that will replace it once it receives its hello. */
  #next: Connection | null = null;
  #heartbeatMs = 15_000;
  #heardAt = 0;
  /** When the browser last reported no network. */
  #sleptAt = 0;
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #status: ConnectionStatus = "connecting";
  #heardIds = new Set<string>();

  constructor(
    private readonly ports: StreamPorts,
    request: StreamRequest,
    cursor: string | null,
  ) {
    this.#request = request;
    this.#cursor = cursor;
    this.#open();
  }

  /** Changes the rooms or the token, and continues from the current position. */
  want(request: StreamRequest): void {
    if (isSameRequest(request, this.#request)) return;
    this.#request = request;
    this.#open();
  }

  /** Called when the network or the page is back: reopens a stream that has been silent for long. */
  wake(): void {
    const isSilent = Date.now() - this.#heardAt > this.#heartbeatMs * 1.5;
    if (this.#status !== "live" || isSilent) this.#open();
  }

  /** Called when the browser reports no network. Events that keep arriving nevertheless prove it wrong. */
  sleep(): void {
    this.#sleptAt = Date.now();
    this.#setStatus("offline");
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#current?.close();
    this.#next?.close();
    this.#current = this.#next = null;
  }

  #open(): void {
    clearTimeout(this.#retry);
    this.#next?.close();
    const query = new URLSearchParams(this.#request.rooms.map((room) => ["room", room]));
    if (this.#request.token !== null) query.set("access_token", this.#request.token);
    if (this.#cursor !== null) query.set("cursor", this.#cursor);
    query.set("replay_limit", String(REPLAY_LIMIT));
    query.set("client", this.ports.clientId());
    const { follow } = this.#request;
    // An empty parameter asks for no news at all.
    for (const room of follow?.length === 0 ? [""] : (follow ?? [])) query.append("follow", room);
    const rooms = roomTags(this.#request.rooms);
    if (rooms) query.set("format", "compact");

    const connection = new Connection(this.ports.openSource(query), this.#cursor);
    this.#next = connection;
    for (const kind of Object.keys(EVENT_KINDS) as EventKind[]) {
      connection.source.addEventListener(kind, (frame) => this.#read(connection, kind, frame));
    }
    if (rooms)
      for (const [name, kind] of Object.entries(COMPACT_KINDS))
        connection.source.addEventListener(name, (frame) => this.#read(connection, kind, frame, rooms));
    connection.source.addEventListener("error", () => this.#onError(connection));
    this.#watch(connection, HELLO_TIMEOUT_MS);
    connection.suspicion = setTimeout(() => void this.#suspect(connection), HELD_BACK_AFTER_MS);
  }

  /** `rooms`: given for a short form. Servers of an older release send JSON in any case. */
  #read(connection: Connection, kind: EventKind, frame: MessageEvent<string>, rooms?: RoomTags): void {
    const event = parseEvent(kind, frame, rooms);
    if (event) {
      this.#hear(connection, event);
      return;
    }
    this.ports.onUnknownEvent();
    // The change is unknown; reload by REST.
    if (EVENT_KINDS[kind].hasId)
      this.ports.onEvent({ kind: "reset", id: null, data: { reason: "unknown_cursor" } });
  }

  /** No hello yet: either the server is down, or a proxy buffers the endless response. */
  async #suspect(connection: Connection): Promise<void> {
    const isThere = await this.ports.isServerThere();
    if (connection !== this.#next || this.#current !== null || this.#status === "offline") return;
    if (isThere) this.#setStatus("held-back");
    else if (this.#status === "held-back") this.#setStatus("reconnecting");
  }

  #hear(connection: Connection, event: ServerEvent): void {
    if (connection !== this.#current && connection !== this.#next) return;
    if (event.kind === "hello") this.#onHello(connection, event.data.heartbeat_secs * 1000);
    this.#heardAt = Date.now();
    this.#watch(connection, this.#heartbeatMs * 2 + WATCHDOG_SLACK_MS);
    const isInFlight = this.#status === "offline" && Date.now() - this.#sleptAt < IN_FLIGHT_MS;
    if (event.kind === "hello" || !isInFlight) this.#setStatus("live");

    if (event.id !== null) this.#cursor = event.id;
    if (this.#isRepeat(event)) return;
    const isFresh = event.kind === "hello" && connection.isFresh && !connection.helloSeen;
    if (event.kind === "hello") connection.helloSeen = true;
    this.ports.onEvent(isFresh ? { ...event, data: { ...event.data, fresh: true } } : event);

    if (event.kind === "expiring") this.ports.onTokenEnding("expiring");
    if (event.kind === "drain") this.#openIn(event.data.retry_ms);
    if (event.kind === "bye") this.#onBye(connection, event.data.reason);
  }

  /** The new connection works, so the old one is closed. */
  #onHello(connection: Connection, heartbeatMs: number): void {
    this.#heartbeatMs = heartbeatMs;
    this.#failures = 0;
    clearTimeout(connection.suspicion);
    if (connection !== this.#next) return;
    this.#current?.close();
    this.#current = connection;
    this.#next = null;
  }

  #onBye(connection: Connection, reason: "expired" | "revoked" | "slow" | "shutdown" | "busy"): void {
    this.#drop(connection);
    if (reason === "expired" || reason === "revoked")
      this.ports.onTokenEnding(reason === "revoked" ? reason : "ended");
    if (reason === "slow") this.#openIn(SHORTEST_RETRY_MS);
    else this.#openLater();
  }

  #onError(connection: Connection): void {
    if (connection !== this.#current && connection !== this.#next) return;
    // In state CONNECTING the browser resumes by itself, with `Last-Event-ID`; the watchdog limits the time.
    if (connection.source.readyState !== EventSource.CLOSED) {
      if (connection === this.#current) this.#setStatus("reconnecting");
      return;
    }
    this.#drop(connection);
    // CLOSED means an HTTP error whose status scripts cannot see; most likely the token is stale.
    if (this.#request.token !== null) this.ports.onTokenEnding("ended");
    this.#openLater();
  }

  #drop(connection: Connection): void {
    connection.close();
    if (connection === this.#next) this.#next = null;
    if (connection === this.#current) this.#current = null;
    // A stream that is held back keeps this status until a hello arrives or the server turns out to be down.
    if (this.#current === null && this.#status !== "held-back") this.#setStatus("reconnecting");
  }

  #watch(connection: Connection, ms: number): void {
    clearTimeout(connection.watchdog);
    connection.watchdog = setTimeout(() => {
      this.#drop(connection);
      this.#openLater();
    }, ms);
  }

  /** Uses jitter: after a restart of the server, clients must not reconnect all at once. */
  #openLater(): void {
    const ceiling = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
    this.#openIn(ceiling / 4 + Math.random() * ceiling * 0.75);
  }

  #openIn(ms: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#open(), Math.max(SHORTEST_RETRY_MS, ms));
  }

  #isRepeat(event: ServerEvent): boolean {
    if (event.id === null || isAboutStream(event.kind)) return false;
    if (this.#heardIds.has(event.id)) return true;
    this.#heardIds.add(event.id);
    if (this.#heardIds.size > REMEMBERED_IDS) {
      const [oldest] = this.#heardIds;
      if (oldest !== undefined) this.#heardIds.delete(oldest);
    }
    return false;
  }

  /** Before the first hello, the status stays "connecting" instead of "reconnecting". */
  #setStatus(status: ConnectionStatus): void {
    if (status === "reconnecting" && !navigator.onLine) status = "offline";
    if (status === "reconnecting" && this.#status === "connecting") return;
    if (status === this.#status) return;
    this.#status = status;
    this.ports.onStatus(status);
  }
}
