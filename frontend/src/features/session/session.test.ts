import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { connectClient } from "../../api/client";
import { getMe } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { server, usesServer } from "../../testing/server";
import { SessionStore } from "./session";

usesServer();

const ALI = { id: "user-ali", username: "ali", role: "user" as const };
let spent: string[];
let valid: string;

/** A server that rotates: each refresh token is good once, and only the newest access token is taken. */
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

test("a refused access token is renewed once, however many requests it held up", async () => {
  const session = await signedIn();
  valid = "revoked meanwhile";
  const answers = await Promise.all([answer(getMe()), answer(getMe()), answer(getMe())]);
  expect(answers).toHaveLength(3);
  expect(spent).toEqual(["refresh-1"]);
  expect(session.view.user).toEqual(ALI);
});

test("a reload spends no refresh token; another tab spends the newest", async () => {
  await signedIn();
  const reloaded = new SessionStore();
  expect(await reloaded.accessToken()).toBe("access-1");
  expect(spent).toEqual([]);
  sessionStorage.clear();
  const anotherTab = new SessionStore();
  expect(await anotherTab.accessToken()).toBe("access-2");
  expect(spent).toEqual(["refresh-1"]);
});

test("a spent refresh token ends the session, and says so", async () => {
  const session = await signedIn();
  spent.push("refresh-1");
  expect(await session.replaceToken("access-1")).toBeNull();
  expect(session.view.user).toBeNull();
  expect(session.view.endedBecause).toMatch(/session has ended/);
  expect(localStorage.getItem("gapless.session")).toBeNull();
});

test("a server that is away ends nothing", async () => {
  const session = await signedIn();
  server.use(http.post("*/auth/refresh", () => HttpResponse.error()));
  await expect(session.replaceToken("access-1")).rejects.toThrow(/cannot be reached/);
  expect(session.view.user).toEqual(ALI);
});

test("signing out forgets the session even when the server cannot be told", async () => {
  const session = await signedIn();
  server.use(http.post("*/auth/logout", () => HttpResponse.error()));
  await session.signOut();
  expect(session.view).toEqual({ user: null, endedBecause: null });
  expect(await session.accessToken()).toBeNull();
});

test("two sessions in a row never mix: the access token belongs to its user", async () => {
  await signedIn();
  localStorage.setItem(
    "gapless.session",
    JSON.stringify({ refresh_token: "x", user: { ...ALI, id: "user-zoe" } }),
  );
  const other = new SessionStore();
  expect(other.view.user?.id).toBe("user-zoe");
  expect(await other.accessToken()).not.toBe("access-1");
});
