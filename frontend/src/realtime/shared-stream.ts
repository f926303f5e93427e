// One stream for all tabs of a browser. Over HTTP/1.1 a browser opens six connections per host, so the seventh tab
// with a stream of its own would hang. The leading tab holds the stream and passes every event on; where tabs cannot
// elect a leader, each leads itself.

import type { EventOf, ServerEvent } from "./events";
import { campaign, electionLocks, holdWhileAlive, whenGone } from "./leadership";
import { ChatStream, type ConnectionStatus, type StreamPorts } from "./stream";

const LOCK = "gapless.stream";
const CHANNEL = "gapless.stream";

/** A follower that hears nothing for this long takes the lead by force: the leader sleeps. Over two heartbeats. */
const FROZEN_LEADER_MS = 45_000;
/** The server's limit of rooms in one stream. */
const MOST_ROOMS = 100;

type Note =
  | { kind: "who" }
  | { kind: "want"; tab: string; rooms: readonly string[] }
  | { kind: "event"; event: ServerEvent }
  | { kind: "status"; status: ConnectionStatus }
  | { kind: "welcome"; tab: string; status: ConnectionStatus; events: ServerEvent[] };

export class SharedStream {
  readonly #tab = Math.random().toString(36).slice(2);
  readonly #locks = electionLocks();
  readonly #channel = this.#locks && new BroadcastChannel(CHANNEL);
  #isAlive = false;
  #campaign: ReturnType<typeof campaign> | null = null;
  #stream: ChatStream | null = null;
  #status: ConnectionStatus = "connecting";
  #token: string | null = null;
  /** What each tab looks at; only the leader keeps others' entries. */
  #wanted = new Map<string, readonly string[]>();
  #cursor: string | null = null;
  #hello: EventOf<"hello"> | null = null;
  /** The last presence of each room, for tabs that join after it was said. */
  #presence = new Map<string, EventOf<"presence">>();
  #frozen: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ports: StreamPorts) {}

  start(): void {
    if (!this.#locks || !this.#channel) {
      this.#lead();
      return;
    }
    this.#channel.onmessage = ({ data }: MessageEvent<Note>) => this.#onNote(data);
    this.#campaign = campaign(this.#locks, LOCK, {
      onLead: () => this.#lead(),
      onLost: () => this.#follow(),
    });
    // The leader takes a tab whose lock is free for gone, so the lock comes before the first word.
    void holdWhileAlive(this.#locks, `gapless.tab.${this.#tab}`).then(() => {
      this.#isAlive = true;
      this.#sendWant();
    });
    this.#awaitLeader();
  }

  /** This tab looks at other rooms now, or the session has another token. */
  want(rooms: readonly string[], token: string | null): void {
    this.#token = token;
    this.#wanted.set(this.#tab, rooms);
    if (this.#stream) this.#reopen();
    else this.#sendWant();
  }

  wake(): void {
    this.#stream?.wake();
  }

  sleep(): void {
    if (this.#stream) this.#stream.sleep();
    else this.#setStatus("offline");
  }

  stop(): void {
    clearTimeout(this.#frozen);
    this.#stream?.close();
    this.#campaign?.resign();
    this.#channel?.close();
  }

  #lead(): void {
    clearTimeout(this.#frozen);
    const ports: StreamPorts = {
      ...this.ports,
      onEvent: (event) => {
        this.#remember(event);
        this.#post({ kind: "event", event });
        this.ports.onEvent(event);
      },
      onStatus: (status) => {
        this.#post({ kind: "status", status });
        this.#setStatus(status);
      },
    };
    this.#stream = new ChatStream(ports, { rooms: this.#rooms(), token: this.#token }, this.#cursor);
    this.#post({ kind: "who" });
  }

  /** Another tab took the lead while this one slept. */
  #follow(): void {
    this.#stream?.close();
    this.#stream = null;
    this.#sendWant();
    this.#awaitLeader();
  }

  #onNote(note: Note): void {
    if (note.kind === "want") {
      if (this.#stream) this.#welcome(note.tab, note.rooms);
      return;
    }
    if (this.#stream) return;
    this.#awaitLeader();
    switch (note.kind) {
      case "who":
        this.#sendWant();
        break;
      case "event":
        this.#remember(note.event);
        this.ports.onEvent(note.event);
        break;
      case "status":
        this.#setStatus(note.status);
        break;
      case "welcome":
        if (note.tab !== this.#tab) break;
        this.#setStatus(note.status);
        for (const event of note.events) this.ports.onEvent(event);
        break;
    }
  }

  /** Takes a tab's rooms into the stream; if they are there already, tells it where the stream stands. */
  #welcome(tab: string, rooms: readonly string[]): void {
    if (this.#locks && !this.#wanted.has(tab)) {
      whenGone(this.#locks, `gapless.tab.${tab}`, () => {
        this.#wanted.delete(tab);
        if (this.#stream) this.#reopen();
      });
    }
    this.#wanted.set(tab, rooms);
    this.#reopen();
    // The last hello begins the tab's coverage of what the stream carries; the next will add what it does not yet.
    const events = this.#hello ? [this.#hello, ...this.#presence.values()] : [];
    this.#post({ kind: "welcome", tab, status: this.#status, events });
  }

  #rooms(): string[] {
    return [...new Set([...this.#wanted.values()].flat())].sort().slice(0, MOST_ROOMS);
  }

  #reopen(): void {
    this.#stream?.want({ rooms: this.#rooms(), token: this.#token });
  }

  #remember(event: ServerEvent): void {
    if (event.id !== null) this.#cursor = event.id;
    if (event.kind === "hello") {
      this.#hello = { ...event, data: { ...event.data, fresh: false } };
      this.#presence.clear();
    }
    if (event.kind === "presence") this.#presence.set(event.data.room_id, event);
  }

  #sendWant(): void {
    if (!this.#isAlive) return;
    this.#post({ kind: "want", tab: this.#tab, rooms: this.#wanted.get(this.#tab) ?? [] });
  }

  #awaitLeader(): void {
    clearTimeout(this.#frozen);
    this.#frozen = setTimeout(() => {
      if (document.visibilityState === "visible") this.#campaign?.steal();
      else this.#awaitLeader();
    }, FROZEN_LEADER_MS);
  }

  #post(note: Note): void {
    this.#channel?.postMessage(note);
  }

  #setStatus(status: ConnectionStatus): void {
    this.#status = status;
    this.ports.onStatus(status);
  }
}
