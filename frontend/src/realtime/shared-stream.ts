// One stream for all tabs of a browser. Over HTTP/1.1 a browser opens six connections per host, so the seventh tab
// with its own stream would hang. The leading tab holds the stream and forwards every event; if tabs cannot elect a
// leader, each has its own stream.

import { campaign, electionLocks, holdWhileAlive, whenGone } from "./leadership";
import { fromWire, type Note, toWire, type Unreadable } from "./notes";
import type { EventOf, ServerEvent } from "./server-event";
import { ChatStream, type ConnectionStatus, type StreamPorts, type StreamRequest } from "./stream";

const LOCK = "gapless.stream";
const CHANNEL = "gapless.stream";

/** Interval at which a visible follower checks that the leader is alive. */
const PING_MS = 250;
/** Number of unanswered pings after which the leader is considered frozen, and the follower takes the lead. */
const PINGS_UNANSWERED = 3;
/**
 * Upper limit of that number, which doubles with each forced take-over: on a busy machine two tabs must not keep taking
 * the lead from each other.
 */
const MOST_PINGS_UNANSWERED = 150;
/** Time without a forced take-over after which the initial number applies again. */
const CALM_MS = 60_000;
/** The server's limits of rooms in one stream, and of rooms that it follows. */
const MOST_ROOMS = 100;
const MOST_FOLLOWED = 200;

/** The request of one tab; without `follow`, it has no list of rooms yet. */
interface Wanted {
  rooms: readonly string[];
  follow: readonly string[] | null;
}

export class SharedStream {
  readonly #tab = Math.random().toString(36).slice(2);
  readonly #locks = electionLocks();
  #channel: BroadcastChannel | null = null;
  #isAlive = false;
  #alive: { release(): void } | null = null;
  #campaign: ReturnType<typeof campaign> | null = null;
  #stream: ChatStream | null = null;
  #status: ConnectionStatus = "connecting";
  #token: string | null = null;
  /** Open rooms of each tab; only the leader has the entries of others. */
  #wanted = new Map<string, Wanted>();
  #cursor: string | null = null;
  #hello: EventOf<"hello"> | null = null;
  /** The last presence of each room, for tabs that join later. */
  #presence = new Map<string, EventOf<"presence">>();
  /** The leading tab, once it has announced itself. A replaced leader may keep sending for a moment. */
  #leader: string | null = null;
  #pings: ReturnType<typeof setInterval> | undefined;
  #unanswered = 0;
  #patience = PINGS_UNANSWERED;
  #stolenAt = 0;

  constructor(private readonly ports: StreamPorts) {}

  start(): void {
    window.addEventListener("pagehide", this.#leave);
    window.addEventListener("pageshow", this.#comeBack);
    this.#join();
  }

  /** Sets the open rooms of this tab, those in its list, and the token of the session. */
  want(rooms: readonly string[], token: string | null, follow: readonly string[] | null = null): void {
    this.#token = token;
    this.#wanted.set(this.#tab, { rooms, follow });
    if (this.#stream) this.#reopen();
    else this.#sendWant();
  }

  wake(): void {
    if (this.#stream) this.#stream.wake();
    else {
      this.#post({ kind: "wake" });
      this.#ping();
    }
  }

  sleep(): void {
    if (this.#stream) this.#stream.sleep();
    else this.#setStatus("offline");
  }

  stop(): void {
    window.removeEventListener("pagehide", this.#leave);
    window.removeEventListener("pageshow", this.#comeBack);
    this.#leave();
  }

  #join(): void {
    this.#channel = this.#locks && openChannel();
    if (!this.#locks || !this.#channel) {
      this.#lead();
      return;
    }
    this.#channel.onmessage = ({ data }: MessageEvent<unknown>) => this.#onMessage(data);
    this.#campaign = campaign(this.#locks, LOCK, {
      onLead: () => this.#lead(),
      onLost: () => this.#follow(),
    });
    // The leader considers a tab whose lock is free gone, so the lock is acquired before the first message.
    this.#alive = holdWhileAlive(this.#locks, `gapless.tab.${this.#tab}`, () => {
      this.#isAlive = true;
      this.#sendWant();
    });
    this.#watchLeader();
  }

  /** The page is hidden, perhaps to be restored from the back/forward cache: another tab may lead from now on. */
  readonly #leave = (): void => {
    clearInterval(this.#pings);
    this.#stream?.close();
    this.#stream = null;
    this.#campaign?.resign();
    this.#alive?.release();
    this.#isAlive = false;
    this.#channel?.close();
    this.#channel = null;
  };

  readonly #comeBack = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) this.#join();
  };

  #lead(): void {
    clearInterval(this.#pings);
    this.#leader = this.#tab;
    const from = this.#tab;
    const ports: StreamPorts = {
      ...this.ports,
      onEvent: (event) => {
        this.#remember(event);
        this.#post({ kind: "event", from, event });
        this.ports.onEvent(event);
      },
      onStatus: (status) => {
        this.#post({ kind: "status", from, status });
        this.#setStatus(status);
      },
    };
    this.#stream = new ChatStream(ports, this.#request(), this.#cursor);
    this.#post({ kind: "who", from });
  }

  /** Called when another tab took the lead while this one was frozen. */
  #follow(): void {
    this.#stream?.close();
    this.#stream = null;
    this.#leader = null;
    this.#sendWant();
    this.#watchLeader();
  }

  #onMessage(data: unknown): void {
    const note = fromWire(data);
    if (!note) return;
    if (note.kind === "unreadable") this.#onUnreadable(note);
    else if (this.#stream) this.#onNoteToLeader(note);
    else this.#onNoteToFollower(note);
  }

  #onUnreadable({ from, id }: Unreadable): void {
    this.ports.onUnknownEvent();
    const isFromLeader = !this.#stream && (!from || from === this.#leader);
    if (id !== null && isFromLeader) this.#cursor = id;
  }

  #onNoteToLeader(note: Note): void {
    if (note.kind === "want") this.#welcome(note.tab, { rooms: note.rooms, follow: note.follow ?? null });
    if (note.kind === "ping") this.#post({ kind: "pong", from: this.#tab, status: this.#status });
    if (note.kind === "wake") this.#stream?.wake();
  }

  #onNoteToFollower(note: Note): void {
    if (note.kind === "want" || note.kind === "ping" || note.kind === "wake") return;
    if (note.kind === "who") this.#leader = note.from ?? null;
    this.#leader ??= note.from ?? null;
    // Sent by a former leader that does not know yet that it was replaced.
    if (note.from && note.from !== this.#leader) return;
    this.#unanswered = 0;
    switch (note.kind) {
      case "who":
        this.#sendWant();
        break;
      case "event":
        this.#remember(note.event);
        this.ports.onEvent(note.event);
        break;
      case "status":
      case "pong":
        if (note.status !== this.#status) this.#setStatus(note.status);
        break;
      case "welcome":
        if (note.tab !== this.#tab) break;
        this.#setStatus(note.status);
        for (const event of note.events) this.ports.onEvent(event);
        break;
    }
  }

  /** Adds a tab's rooms to the stream, and sends the tab the state of the stream. */
  #welcome(tab: string, wanted: Wanted): void {
    if (this.#locks && !this.#wanted.has(tab)) {
      whenGone(this.#locks, `gapless.tab.${tab}`, () => {
        this.#wanted.delete(tab);
        if (this.#stream) this.#reopen();
      });
    }
    this.#wanted.set(tab, wanted);
    this.#reopen();
    // The last hello starts the tab's coverage of what the stream carries; the next one adds the rest.
    const events = this.#hello ? [this.#hello, ...this.#presence.values()] : [];
    this.#post({ kind: "welcome", from: this.#tab, tab, status: this.#status, events });
  }

  /** The rooms of all tabs. A tab that follows none yet takes nothing from the others. */
  #request(): StreamRequest {
    const wanted = [...this.#wanted.values()];
    const rooms = distinct(wanted.flatMap((tab) => tab.rooms)).slice(0, MOST_ROOMS);
    const followed = distinct(wanted.flatMap((tab) => tab.follow ?? []));
    const follow = wanted.some((tab) => tab.follow !== null) ? followed.slice(0, MOST_FOLLOWED) : null;
    return { rooms, follow, token: this.#token };
  }

  #reopen(): void {
    this.#stream?.want(this.#request());
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
    const { rooms = [], follow = null } = this.#wanted.get(this.#tab) ?? {};
    this.#post({ kind: "want", tab: this.#tab, rooms, ...(follow && { follow }) });
  }

  #watchLeader(): void {
    clearInterval(this.#pings);
    this.#unanswered = 0;
    this.#pings = setInterval(() => this.#ping(), PING_MS);
  }

  /**
   * Counts pings instead of time: a tab that was frozen itself must not mistake its own pause for the leader's silence.
   * A hidden tab needs no leader.
   */
  #ping(): void {
    if (!this.#channel || document.visibilityState !== "visible") return;
    if (this.#unanswered >= this.#patience) {
      const isCalm = Date.now() - this.#stolenAt > CALM_MS;
      this.#patience = isCalm ? PINGS_UNANSWERED : Math.min(this.#patience * 2, MOST_PINGS_UNANSWERED);
      this.#stolenAt = Date.now();
      this.#unanswered = 0;
      this.#campaign?.steal();
      return;
    }
    this.#unanswered += 1;
    this.#post({ kind: "ping" });
  }

  #post(note: Note): void {
    this.#channel?.postMessage(toWire(note));
  }

  #setStatus(status: ConnectionStatus): void {
    this.#status = status;
    this.ports.onStatus(status);
  }
}

const distinct = (ids: string[]) => [...new Set(ids)].sort();

/** Null if the browser refuses a channel, as some do that block storage. */
function openChannel(): BroadcastChannel | null {
  try {
    return new BroadcastChannel(CHANNEL);
  } catch {
    return null;
  }
}
