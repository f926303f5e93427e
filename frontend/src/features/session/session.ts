// The signed-in user, for all tabs of this browser. The tabs share one refresh token and one access token, in the
// browser's storage. If the browser has locks, one tab renews them at a time; otherwise two tabs may spend one refresh
// token at once, and the server returns the same successor to both.

import type { TokenSource } from "../../api/client";
import { login, logout, logoutAll, refresh, register } from "../../api/gen/sdk.gen";
import type { Session, User } from "../../api/gen/types.gen";
import { answer, ProblemError, sentence } from "../../api/problem";
import { exclusively } from "../../browser/exclusive";
import { Listeners } from "../../browser/listeners";
import { browserStorage, readJson } from "../../browser/storage";

const KEPT = "gapless.session";
const LOCK = "gapless.session";
/** The user who signed up in this browser and whose read marks as a guest are not taken over yet. */
const NEWCOMER = "gapless.newcomer";
/** A token is renewed this long before it expires, so that none expires on its way to the server. */
const RENEW_BEFORE_SECS = 30;
/** Maximum wait for another tab's renewal; a tab that is frozen or hangs must not block this one. */
const LOCK_PATIENCE_MS = 5_000;
/** Timeout of a renewal, after which it is tried once more: repeating it is safe for a while. */
const RENEWAL_TIMEOUT_MS = 6_000;
/** Without a lock, another tab may have spent the same token, and its response may not have arrived yet. */
const OTHER_TABS_ANSWER_MS = 2_000;

interface Access {
  token: string;
  renewAt: number;
}

interface Kept {
  refresh_token: string;
  user: User;
  /** Absent if a tab of an older release has renewed the session. */
  access?: Access;
}

export interface SessionView {
  user: User | null;
  /** Why the last session ended, unless the user signed out. */
  endedBecause: string | null;
}

export class SessionStore implements TokenSource {
  #view: SessionView = { user: readKept()?.user ?? null, endedBecause: null };
  #renewal: Promise<string | null> | null = null;
  #listeners = new Listeners();

  constructor() {
    window.addEventListener("storage", ({ key }) => {
      if (key === KEPT || key === null) this.#followStorage();
    });
  }

  get view(): SessionView {
    return this.#view;
  }

  readonly subscribe = this.#listeners.subscribe;

  async signIn(username: string, password: string): Promise<void> {
    this.#begin(await answer(login({ body: { username, password } })));
  }

  /** Creates an account; `invitation` is empty if none is needed. */
  async signUp(username: string, password: string, invitation = ""): Promise<void> {
    const shown = invitation === "" ? {} : { invitation };
    const begun = await answer(register({ body: { username, password, ...shown } }));
    browserStorage.write(NEWCOMER, begun.user.id);
    this.#begin(begun);
  }

  /** Tells the server, then forgets the session here, even if the server could not be reached. */
  async signOut(): Promise<void> {
    const kept = readKept();
    if (kept) await answer(logout({ body: { refresh_token: kept.refresh_token } })).catch(() => {});
    this.#end(null);
  }

  async signOutEverywhere(): Promise<void> {
    await answer(logoutAll());
    this.#end(null);
  }

  get userId(): string | null {
    return this.#view.user?.id ?? null;
  }

  async accessToken(): Promise<string | null> {
    if (this.#view.user === null) return null;
    return goodToken(this.#kept(), null) ?? this.#renew(null);
  }

  async replaceToken(refused: string): Promise<string | null> {
    return this.#renew(refused);
  }

  /** Called when the server reports a change of this user, such as a new role. */
  noteUser(user: User): void {
    const kept = readKept();
    if (!kept || kept.user.id !== user.id || JSON.stringify(kept.user) === JSON.stringify(user)) return;
    writeKept({ ...kept, user });
    this.#show({ ...this.#view, user });
  }

  dismissNotice(): void {
    this.#show({ ...this.#view, endedBecause: null });
  }

  /** All waiting requests of this tab share one renewal; the lock is for other tabs. */
  #renew(refused: string | null): Promise<string | null> {
    this.#renewal ??= exclusively(LOCK, LOCK_PATIENCE_MS, (isAlone) => this.#spend(refused, isAlone)).finally(
      () => {
        this.#renewal = null;
      },
    );
    return this.#renewal;
  }

  async #spend(refused: string | null, isAlone: boolean): Promise<string | null> {
    for (;;) {
      // Read as late as possible: another tab may have renewed the session while this one waited.
      const kept = this.#kept();
      if (!kept) return null;
      const token = goodToken(kept, refused);
      if (token !== null) return token;
      try {
        return this.#adopt(kept, await askForRenewal(kept.refresh_token));
      } catch (error) {
        if (!isVerdict(error)) throw asTemporary(error);
        if (await isReplaced(kept.refresh_token, isAlone ? 0 : OTHER_TABS_ANSWER_MS)) continue;
        // Gone from the storage: the user signed out while this tab renewed, and knows why.
        if (readKept() === null) return null;
        this.#end(endedSentence(error));
        return null;
      }
    }
  }

  /** Applies the result of renewing `spent`, unless the user signed in or out in the meantime. */
  #adopt(spent: Kept, session: Session): string | null {
    const kept = this.#kept();
    if (kept?.user.id !== spent.user.id) return null;
    // If another tab has renewed the session in the meantime, its refresh token is the newer one.
    if (kept.refresh_token === spent.refresh_token) this.#begin(session);
    return session.access_token;
  }

  #begin(session: Session): void {
    const goodSecs = session.expires_in - Math.min(RENEW_BEFORE_SECS, session.expires_in / 3);
    const access = { token: session.access_token, renewAt: Date.now() + goodSecs * 1000 };
    writeKept({ refresh_token: session.refresh_token, user: session.user, access });
    this.#show({ user: session.user, endedBecause: null });
  }

  #end(because: string | null): void {
    browserStorage.remove(KEPT);
    this.#show({ user: null, endedBecause: because });
  }

  /** The stored session, if it belongs to the user shown in this tab. */
  #kept(): Kept | null {
    const kept = readKept();
    if (kept?.user.id === this.#view.user?.id) return kept;
    this.#followStorage();
    return null;
  }

  /** Called when another tab signed in or out. */
  #followStorage(): void {
    const user = readKept()?.user ?? null;
    if (user?.id === this.#view.user?.id) return;
    this.#show({ user, endedBecause: null });
  }

  #show(view: SessionView): void {
    this.#view = view;
    this.#listeners.notify();
  }
}

function endedSentence(error: unknown): string {
  return error instanceof ProblemError && error.status === 403
    ? sentence(error)
    : "Your session has ended. Sign in to keep writing; what you typed is saved.";
}

function goodToken(kept: Kept | null, refused: string | null): string | null {
  const access = kept?.access;
  return access && access.token !== refused && Date.now() < access.renewAt ? access.token : null;
}

async function askForRenewal(refresh_token: string): Promise<Session> {
  const ask = async () => {
    const signal = AbortSignal.timeout(RENEWAL_TIMEOUT_MS);
    const session = await answer(refresh({ body: { refresh_token }, signal })).catch((error) => {
      if (signal.aborted) return null;
      throw error;
    });
    // A network's sign-in page responds to every request with 200.
    if (session && !session.access_token)
      throw new ProblemError({ status: 0, detail: "Unexpected response." });
    return session;
  };
  const session = (await ask()) ?? (await ask());
  if (session) return session;
  throw new ProblemError({
    status: 0,
    code: "unreachable",
    detail: "The server cannot be reached right now.",
  });
}

/** True if the server itself reported that the session is over; a proxy's error page does not count. */
function isVerdict(error: unknown): boolean {
  return (
    error instanceof ProblemError &&
    (error.status === 401 || error.status === 403) &&
    error.code !== "unknown"
  );
}

function asTemporary(error: unknown): ProblemError {
  if (error instanceof ProblemError && error.isTemporary) return error;
  return new ProblemError({ status: 0, code: "unreachable", detail: sentence(error) });
}

/** Returns whether the stored refresh token differs from `spent`, now or within `patienceMs`. */
async function isReplaced(spent: string, patienceMs: number): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  while (readKept()?.refresh_token === spent) {
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return readKept() !== null;
}

/** Returns whether this user signed up here and begins with the read marks of the guest they were. */
export const isNewcomer = (userId: string | undefined): boolean =>
  userId !== undefined && browserStorage.read(NEWCOMER) === userId;

export const forgetNewcomer = (): void => browserStorage.remove(NEWCOMER);

function readKept(): Kept | null {
  const kept = readJson<Partial<Kept>>(browserStorage.read(KEPT));
  return kept?.refresh_token && kept.user?.id ? (kept as Kept) : null;
}

function writeKept(kept: Kept): void {
  browserStorage.write(KEPT, JSON.stringify(kept));
}

export const session = new SessionStore();
