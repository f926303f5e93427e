// Who is signed in here. The refresh token is spent at most once however many tabs there are: it lives in
// localStorage, and only the holder of a Web Lock may spend it.

import type { TokenSource } from "../../api/client";
import { login, logout, logoutAll, refresh, register } from "../../api/gen/sdk.gen";
import type { Session, User } from "../../api/gen/types.gen";
import { answer, ProblemError, sentence } from "../../api/problem";

const KEPT = "gapless.session";
/**
 * The access token is this tab's own and outlives a reload (not the tab): without it every reload would spend a
 * refresh token, and reloading again before the answer came would spend one twice, which ends the session.
 */
const ACCESS = "gapless.access";
const LOCK = "gapless.session";
/** A token is renewed this long before its end, so that none runs out on its way to the server. */
const RENEW_BEFORE_SECS = 30;

interface Kept {
  refresh_token: string;
  user: User;
}

interface Access {
  token: string;
  userId: string;
  renewAt: number;
}

export interface SessionView {
  user: User | null;
  /** Why the last session ended, when it was not the user's own doing. */
  endedBecause: string | null;
}

export class SessionStore implements TokenSource {
  #view: SessionView = { user: readKept()?.user ?? null, endedBecause: null };
  #access: Access | null = readAccess(this.#view.user);
  #renewal: Promise<string | null> | null = null;
  #listeners = new Set<() => void>();

  constructor() {
    window.addEventListener("storage", ({ key }) => {
      if (key === KEPT || key === null) this.#followStorage();
    });
  }

  get view(): SessionView {
    return this.#view;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  async signIn(username: string, password: string): Promise<void> {
    this.#begin(await answer(login({ body: { username, password } })));
  }

  /** Makes an account; `invitation` is empty where none is asked for. */
  async signUp(username: string, password: string, invitation = ""): Promise<void> {
    const shown = invitation === "" ? {} : { invitation };
    this.#begin(await answer(register({ body: { username, password, ...shown } })));
  }

  /** Tells the server, then forgets the session here whether or not the server could be told. */
  async signOut(): Promise<void> {
    const kept = readKept();
    if (kept) await answer(logout({ body: { refresh_token: kept.refresh_token } })).catch(() => {});
    this.#end(null);
  }

  async signOutEverywhere(): Promise<void> {
    await answer(logoutAll());
    this.#end(null);
  }

  async accessToken(): Promise<string | null> {
    if (this.#view.user === null) return null;
    if (this.#access && Date.now() < this.#access.renewAt) return this.#access.token;
    return this.#renew(this.#access?.token ?? null);
  }

  async replaceToken(refused: string): Promise<string | null> {
    return this.#renew(refused);
  }

  /** The server said that this user changed: a role, mostly. */
  noteUser(user: User): void {
    const kept = readKept();
    if (!kept || kept.user.id !== user.id || JSON.stringify(kept.user) === JSON.stringify(user)) return;
    writeKept({ ...kept, user });
    this.#show({ ...this.#view, user });
  }

  dismissNotice(): void {
    this.#show({ ...this.#view, endedBecause: null });
  }

  /** Requests of this tab that wait for a token wait for the same one; the lock is for the other tabs. */
  #renew(refused: string | null): Promise<string | null> {
    this.#renewal ??= this.#spend(refused).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  #spend(refused: string | null): Promise<string | null> {
    return withLock(async () => {
      const access = this.#access;
      if (access && access.token !== refused && Date.now() < access.renewAt) return access.token;
      const kept = readKept();
      if (!kept) return null;
      try {
        const session = await answer(refresh({ body: { refresh_token: kept.refresh_token } }));
        this.#begin(session);
        return session.access_token;
      } catch (error) {
        if (error instanceof ProblemError && error.isTemporary) throw error;
        this.#end(endedSentence(error));
        return null;
      }
    });
  }

  #begin(session: Session): void {
    writeKept({ refresh_token: session.refresh_token, user: session.user });
    const goodSecs = session.expires_in - Math.min(RENEW_BEFORE_SECS, session.expires_in / 3);
    this.#access = {
      token: session.access_token,
      userId: session.user.id,
      renewAt: Date.now() + goodSecs * 1000,
    };
    sessionStorage.setItem(ACCESS, JSON.stringify(this.#access));
    this.#show({ user: session.user, endedBecause: null });
  }

  #end(because: string | null): void {
    localStorage.removeItem(KEPT);
    sessionStorage.removeItem(ACCESS);
    this.#access = null;
    this.#show({ user: null, endedBecause: because });
  }

  /** Another tab signed in, out, or renewed. */
  #followStorage(): void {
    const user = readKept()?.user ?? null;
    if (user?.id === this.#view.user?.id) return;
    sessionStorage.removeItem(ACCESS);
    this.#access = null;
    this.#show({ user, endedBecause: null });
  }

  #show(view: SessionView): void {
    this.#view = view;
    for (const listener of [...this.#listeners]) listener();
  }
}

function endedSentence(error: unknown): string {
  return error instanceof ProblemError && error.status === 403
    ? sentence(error)
    : "Your session has ended. Sign in to go on writing; what you typed is kept.";
}

function withLock<T>(spend: () => Promise<T>): Promise<T> {
  return navigator.locks ? navigator.locks.request(LOCK, spend) : spend();
}

function readKept(): Kept | null {
  return readJson<Kept>(localStorage.getItem(KEPT));
}

function writeKept(kept: Kept): void {
  localStorage.setItem(KEPT, JSON.stringify(kept));
}

function readAccess(user: User | null): Access | null {
  const access = readJson<Access>(sessionStorage.getItem(ACCESS));
  return access && access.userId === user?.id ? access : null;
}

function readJson<T>(text: string | null): T | null {
  try {
    return text === null ? null : (JSON.parse(text) as T);
  } catch {
    return null;
  }
}

export const session = new SessionStore();
