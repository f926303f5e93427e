// Connects the shared stream to the session and the chat state, and reports the state of the connection.

import { useSyncExternalStore } from "react";
import { apiAddress } from "../../api/address";
import { getMe, listRooms } from "../../api/gen/sdk.gen";
import { answer, ProblemError } from "../../api/problem";
import { Listeners } from "../../browser/listeners";
import { isNewerReleaseThere } from "../../browser/release";
import { browserStorage } from "../../browser/storage";
import { windowId } from "../../browser/window-id";
import { electionLocks } from "../../realtime/leadership";
import type { ServerEvent } from "../../realtime/server-event";
import { SharedStream } from "../../realtime/shared-stream";
import { withViewer } from "../../realtime/snapshots";
import { chat } from "../../realtime/store";
import type { ConnectionStatus, StreamPorts } from "../../realtime/stream";
import { outboxOf } from "../composer/current-outbox";
import { typing } from "../people/typing";
import { session } from "../session/session";

/** Duration of the "caught up" status after a reconnect. */
const CAUGHT_UP_MS = 3_000;
/** Retry interval for renewing the session while the server cannot be reached. */
const RENEW_AGAIN_MS = 5_000;

/** Maximum wait for a token renewal before the stream starts as a guest. */
const TOKEN_PATIENCE_MS = 3_000;
/** Interval of REST polling while the stream is held back. */
const READING_EVERY_MS = 4_000;

/** Minimum interval between changes of the followed rooms, since each opens a new connection. */
const FOLLOW_EVERY_MS = 2_000;
/** Identifies the connections of this browser to the server: one tab at a time holds the stream of all. */
const CLIENT_KEY = "gapless.client";

export type ShownStatus = ConnectionStatus | "caught-up";

class LiveConnection {
  #status: ShownStatus = "connecting";
  #listeners = new Listeners();
  #rooms: readonly string[] = [];
  #follow: readonly string[] | null = null;
  #followedAt = 0;
  #following: ReturnType<typeof setTimeout> | undefined;
  #token: string | null = null;
  #calm: ReturnType<typeof setTimeout> | undefined;
  #userId: string | null = null;
  #isStarted = false;
  readonly #stream: SharedStream;

  constructor() {
    const ports: StreamPorts = {
      clientId,
      openSource: (query) => new EventSource(`${apiAddress()}/sse?${query}`),
      onEvent: (event) => this.#hear(event),
      onStatus: (status) => this.#onStatus(status),
      onTokenEnding: (why) => void this.#renew(why),
      onUnknownEvent: () => isNewerReleaseThere.set(true),
      isServerThere: () =>
        answer(listRooms({ query: { limit: 1 } })).then(
          () => true,
          () => false,
        ),
    };
    this.#stream = new SharedStream(ports);
  }

  get status(): ShownStatus {
    return this.#status;
  }

  readonly subscribe = this.#listeners.subscribe;

  /** Opens the stream with the current session; fetches the token first, so that a member is not treated as a guest. */
  async start(): Promise<void> {
    if (this.#isStarted) return;
    this.#isStarted = true;
    session.subscribe(() => this.#onSession());
    this.#adoptViewer();
    window.addEventListener("online", () => this.#stream.wake());
    window.addEventListener("offline", () => this.#stream.sleep());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#stream.wake();
    });
    if (!navigator.onLine) this.#onStatus("offline");
    const isTaken = this.#takeToken().then(() => this.#want());
    await Promise.race([isTaken, new Promise((resolve) => setTimeout(resolve, TOKEN_PATIENCE_MS))]);
    this.#want();
    this.#stream.start();
  }

  /** Sets the rooms on the screen. Requesting a room counts as being present in it, so only these are requested. */
  look(rooms: readonly string[]): void {
    this.#rooms = rooms;
    this.#want();
  }

  /** Sets the rooms in the list on the screen, whose unread messages are reported. */
  follow(rooms: readonly string[]): void {
    if (rooms.join() === this.#follow?.join()) return;
    this.#follow = rooms;
    clearTimeout(this.#following);
    const wait = Math.max(0, this.#followedAt + FOLLOW_EVERY_MS - Date.now());
    this.#following = setTimeout(() => {
      this.#followedAt = Date.now();
      this.#want();
    }, wait);
  }

  #want(): void {
    this.#stream.want(this.#rooms, this.#token, this.#follow);
  }

  #hear(event: ServerEvent): void {
    try {
      typing.hear(event);
      chat.hear(event);
    } catch {
      // From a newer release, in a format that this one cannot read. Reload the affected data by REST.
      isNewerReleaseThere.set(true);
      chat.hear({ kind: "reset", id: null, data: { reason: "unknown_cursor" } });
      return;
    }
    if (event.kind === "user.changed") session.noteUser(event.data);
    const isMessage = event.kind === "message.posted" || event.kind === "direct.posted";
    if (isMessage && event.data.client_id && this.#userId)
      outboxOf(this.#userId).remove(event.data.client_id);
  }

  #onSession(): void {
    this.#adoptViewer();
    void this.#takeToken().then(() => this.#want());
  }

  #adoptViewer(): void {
    const { user } = session.view;
    chat.update((state) => withViewer(state, user));
    if (this.#userId === (user?.id ?? null)) return;
    if (this.#userId) outboxOf(this.#userId).pause();
    this.#userId = user?.id ?? null;
    if (this.#userId) outboxOf(this.#userId).resume();
  }

  /** Without a token, a member's stream is opened as a guest; it is reopened as the member when a token arrives. */
  async #takeToken(): Promise<void> {
    try {
      this.#token = await session.accessToken();
    } catch {
      setTimeout(() => this.#onSession(), RENEW_AGAIN_MS);
    }
  }

  /** Gets a newer token; the session notifies its subscribers, and the stream continues with it. */
  async #renew(why: "expiring" | "ended" | "revoked"): Promise<void> {
    if (this.#token === null) return;
    try {
      // "Ended" may also be caused by a proxy. A request finds out, and renews the token if necessary.
      if (why === "ended") await answer(getMe());
      else await session.replaceToken(this.#token);
      this.#onSession();
    } catch (error) {
      if (error instanceof ProblemError && error.isTemporary)
        setTimeout(() => void this.#renew(why), RENEW_AGAIN_MS);
    }
  }

  #onStatus(status: ConnectionStatus): void {
    clearTimeout(this.#calm);
    const wasAway = ["reconnecting", "offline", "held-back"].includes(this.#status);
    if (status === "live" && wasAway) {
      this.#show("caught-up");
      this.#calm = setTimeout(() => this.#show("live"), CAUGHT_UP_MS);
      if (this.#userId) outboxOf(this.#userId).wake();
    } else if (!(status === "live" && this.#status === "caught-up")) {
      this.#show(status);
    }
  }

  #show(status: ShownStatus): void {
    this.#status = status;
    this.#listeners.notify();
  }
}

/** Tabs that cannot share a stream each have their own, under their own id. */
function clientId(): string {
  if (!electionLocks()) return windowId;
  const known = browserStorage.read(CLIENT_KEY);
  if (known && /^[\w-]{1,64}$/.test(known)) return known;
  const id = crypto.getRandomValues(new Uint32Array(4)).join("-");
  browserStorage.write(CLIENT_KEY, id);
  return id;
}

export const connection = new LiveConnection();

/** Returns the interval at which screens poll by REST while the stream is held back; false otherwise. */
export function useReadingInterval(): number | false {
  return useConnection() === "held-back" ? READING_EVERY_MS : false;
}

export function useConnection(): ShownStatus {
  return useSyncExternalStore(connection.subscribe, () => connection.status);
}
