import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { asUser, connectClient } from "../../api/client";
import { getMe } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { server, usesServer } from "../../testing/server";
import { SessionStore } from "./session";

usesServer();

const ALI = { id: "user-ali", username: "ali", role: "user" as const };
let spent: string[];
let valid: string;

/** A server with token rotation: each refresh token works once, and only the newest access token is accepted. */
beforeEach(() => {
  spent = [];
  valid = "access-0";
  let turn = 0;
  const grant = () => {
    turn += 1;
    valid = `access-${turn}`;
    return HttpResponse.json({
      access_token: valid,
      token_type: "Bearer",
      expires_in: 900,
      refresh_token: `refresh-${turn}`,
      user: ALI,
    });
  };
  const refused = (code: string) =>
    HttpResponse.json({ title: "No", status: 401, code, detail: "Not valid." }, { status: 401 });
  server.use(
    http.post("*/auth/login", grant),
    http.post("*/auth/refresh", async ({ request }) => {
      const { refresh_token } = (await request.json()) as { refresh_token: string };
      if (refresh_token !== `refresh-${turn}` || spent.includes(refresh_token))
        return refused("invalid_refresh_token");
      spent.push(refresh_token);
      return grant();
    }),
    http.post("*/auth/logout", () => new HttpResponse(null, { status: 204 })),
    http.get("*/users/me", ({ request }) =>
      request.headers.get("Authorization") === `Bearer ${valid}`
        ? HttpResponse.json(ALI)
        : refused("invalid_token"),
    ),
  );
});

async function signedIn(): Promise<SessionStore> {
  const session = new SessionStore();
  connectClient(session);
  await session.signIn("ali", "test");
  return session;
}

test("a refused access token is renewed once for all waiting requests", async () => {
  const session = await signedIn();
  valid = "revoked meanwhile";
  const answers = await Promise.all([answer(getMe()), answer(getMe()), answer(getMe())]);
  expect(answers).toHaveLength(3);
  expect(spent).toEqual(["refresh-1"]);
  expect(session.view.user).toEqual(ALI);
});

test("neither a reload nor another tab uses a refresh token while the access token is valid", async () => {
  await signedIn();
  const reloaded = new SessionStore();
  expect(await reloaded.accessToken()).toBe("access-1");
  sessionStorage.clear();
  const anotherTab = new SessionStore();
  expect(await anotherTab.accessToken()).toBe("access-1");
  expect(spent).toEqual([]);
});

test("after a tab of an older release renewed the session, its refresh token is used", async () => {
  const session = await signedIn();
  localStorage.setItem("gapless.session", JSON.stringify({ refresh_token: "refresh-1", user: ALI }));
  expect(await session.accessToken()).toBe("access-2");
  expect(spent).toEqual(["refresh-1"]);
});

test("a spent refresh token ends the session, and a notice says so", async () => {
  const session = await signedIn();
  spent.push("refresh-1");
  expect(await session.replaceToken("access-1")).toBeNull();
  expect(session.view.user).toBeNull();
  expect(session.view.endedBecause).toMatch(/session has ended/);
  expect(localStorage.getItem("gapless.session")).toBeNull();
});

test("a banned user is told the reason, not that the session has ended", async () => {
  const session = await signedIn();
  const detail = "You were banned: Spam.";
  const problem = { title: "Forbidden", status: 403, code: "banned", detail };
  server.use(http.post("*/auth/refresh", () => HttpResponse.json(problem, { status: 403 })));
  expect(await session.replaceToken("access-1")).toBeNull();
  expect(session.view).toEqual({ user: null, endedBecause: detail });
});

test("an unreachable server does not end the session", async () => {
  const session = await signedIn();
  server.use(http.post("*/auth/refresh", () => HttpResponse.error()));
  await expect(session.replaceToken("access-1")).rejects.toThrow(/cannot be reached/);
  expect(session.view.user).toEqual(ALI);
});

test("signing out forgets the session even if the server cannot be reached", async () => {
  const session = await signedIn();
  server.use(http.post("*/auth/logout", () => HttpResponse.error()));
  await session.signOut();
  expect(session.view).toEqual({ user: null, endedBecause: null });
  expect(await session.accessToken()).toBeNull();
});

test("signing out while a renewal is on its way is not reported as an ended session", async () => {
  const session = await signedIn();
  valid = "revoked meanwhile";
  let refuse = () => {};
  const isAsked = new Promise<void>((resolve) => {
    server.use(
      http.post("*/auth/refresh", async () => {
        resolve();
        await new Promise<void>((done) => {
          refuse = done;
        });
        const problem = { title: "No", status: 401, code: "invalid_refresh_token", detail: "Not valid." };
        return HttpResponse.json(problem, { status: 401 });
      }),
    );
  });
  const renewal = session.replaceToken("access-1");
  await isAsked;
  await session.signOut();
  refuse();
  await renewal;
  expect(session.view).toEqual({ user: null, endedBecause: null });
});

test("two sessions in a row never mix: each access token belongs to its user", async () => {
  await signedIn();
  localStorage.setItem(
    "gapless.session",
    JSON.stringify({ refresh_token: "x", user: { ...ALI, id: "user-zoe" } }),
  );
  const other = new SessionStore();
  expect(other.view.user?.id).toBe("user-zoe");
  expect(await other.accessToken()).not.toBe("access-1");
});

test("three tabs without locks that renew at the same time all stay signed in", async () => {
  const tabs = [await signedIn(), new SessionStore(), new SessionStore()];
  // The first tab spends the token, the others are refused: the token they used is no longer the newest.
  const tokens = await Promise.all(tabs.map((tab) => tab.replaceToken("access-1")));
  expect(tokens).toEqual(["access-2", "access-2", "access-2"]);
  expect(tabs.map(({ view }) => view.user?.id)).toEqual([ALI.id, ALI.id, ALI.id]);
  expect(spent).toEqual(["refresh-1"]);
});

test("a renewal that hangs is abandoned and retried once", async () => {
  const session = await signedIn();
  const patience = new AbortController();
  let asked = 0;
  vi.spyOn(AbortSignal, "timeout").mockImplementationOnce(() => patience.signal);
  server.use(
    http.post("*/auth/refresh", async () => {
      asked += 1;
      if (asked > 1) return undefined;
      queueMicrotask(() => patience.abort(new DOMException("too long", "TimeoutError")));
      return new Promise<never>(() => {});
    }),
  );
  expect(await session.replaceToken("access-1")).toBe("access-2");
  expect(asked).toBe(2);
});

test.each([
  ["a proxy's error page", () => new HttpResponse("<h1>Forbidden</h1>", { status: 403 })],
  ["a network's sign-in page", () => new HttpResponse("<h1>Welcome</h1>", { status: 200 })],
  ["a proxy without a route", () => new HttpResponse(null, { status: 404 })],
])("%s does not end the session", async (_, answerOf) => {
  const session = await signedIn();
  server.use(http.post("*/auth/refresh", answerOf));
  await expect(session.replaceToken("access-1")).rejects.toMatchObject({ isTemporary: true });
  expect(session.view.user).toEqual(ALI);
});

test("the response to a renewal is dropped if another user signed in meanwhile", async () => {
  const session = await signedIn();
  const zoe = JSON.stringify({ refresh_token: "zoe's", user: { ...ALI, id: "user-zoe", username: "zoe" } });
  server.use(
    http.post("*/auth/refresh", () => {
      localStorage.setItem("gapless.session", zoe);
      return undefined;
    }),
  );
  expect(await session.replaceToken("access-1")).toBeNull();
  expect(session.view.user?.id).toBe("user-zoe");
  expect(localStorage.getItem("gapless.session")).toBe(zoe);
});

test("a waiting request of one user is never sent as another who signed in meanwhile", async () => {
  const session = await signedIn();
  const seen: (string | null)[] = [];
  server.use(
    http.get("*/users/me", ({ request }) => {
      seen.push(request.headers.get("Authorization"));
      expect(request.headers.get("gapless-as-user")).toBeNull();
      return HttpResponse.json(ALI);
    }),
  );
  await answer(getMe(asUser(ALI.id)));
  await expect(answer(getMe(asUser("user-zoe")))).rejects.toMatchObject({ status: 401 });
  expect(seen).toEqual(["Bearer access-1"]);
  expect(session.view.user).toEqual(ALI);
});
