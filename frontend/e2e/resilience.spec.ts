import { Api } from "./api";
import { expect, test } from "./person";
import { Server } from "./server";

test("after kill -9 of the server, an open page shows exactly the messages of the database, in order, each once", async ({
  person,
}) => {
  const server = await Server.start("killed");
  try {
    const api = new Api(server.url);
    const room = await api.room();
    const reader = await person({ url: server.url });
    const writer = await person({ url: server.url });
    await writer.signsIn(await api.account());
    await writer.opens(room);
    await reader.opens(room);

    for (let life = 1; life <= 3; life++) {
      await writer.writes(`life ${life}, before the cut`);
      await reader.sees(`life ${life}, before the cut`);
      await server.kill();
      // Written without a server: the messages wait in order and are sent automatically.
      await writer.writes(`life ${life}, first in the dark`);
      await writer.writes(`life ${life}, second in the dark`);
      await expect(reader.page.getByTestId("connection")).toHaveAttribute(
        "data-status",
        /reconnecting|offline/,
      );
      await server.startAgain();
      await writer.seesSent(`life ${life}, second in the dark`);
      await reader.sees(`life ${life}, second in the dark`);
    }

    await reader.isLive();
    const kept = await api.bodies(room);
    expect(kept).toHaveLength(9);
    expect(await reader.readsAll()).toEqual(kept);
    expect(await writer.readsAll()).toEqual(kept);
  } finally {
    await server.stop();
  }
});

test("offline is shown, unsent messages wait, and reconnecting misses nothing", async ({ api, person }) => {
  const room = await api.room();
  const other = await api.account();
  const writer = await person();
  await writer.signsIn(await api.account());
  await writer.opens(room);

  await writer.page.context().setOffline(true);
  await expect(writer.page.getByTestId("connection")).toHaveAttribute("data-status", "offline");
  await writer.writes("written offline");
  await expect(writer.message("written offline")).toHaveAttribute("data-state", "pending");
  await api.post(other, room, "posted meanwhile");

  await writer.page.context().setOffline(false);
  await writer.sees("posted meanwhile");
  await writer.seesSent("written offline");
  expect(await writer.readsAll()).toEqual(await api.bodies(room));
});

test("drafts and unsent messages survive a reload", async ({ api, person }) => {
  const room = await api.room();
  const writer = await person();
  await writer.signsIn(await api.account());
  await writer.opens(room);
  await writer.field.fill("half a thought");
  await writer.page.reload();
  await expect(writer.field).toHaveValue("half a thought");

  await writer.page.route("**/messages", (route) =>
    route.request().method() === "POST" ? route.abort() : route.fallback(),
  );
  await writer.field.press("Enter");
  await expect(writer.message("half a thought")).toHaveAttribute("data-state", "pending");
  await writer.page.unrouteAll();
  await writer.page.reload();
  await writer.seesSent("half a thought");
  expect(await api.bodies(room)).toEqual(["half a thought"]);
});

test("a lost response does not duplicate the message", async ({ api, person }) => {
  const room = await api.room();
  const writer = await person();
  await writer.signsIn(await api.account());
  await writer.opens(room);
  let swallowed = 0;
  await writer.page.route("**/messages", async (route) => {
    if (route.request().method() !== "POST" || swallowed > 0) return route.fallback();
    swallowed += 1;
    await route.fetch();
    await route.abort();
  });
  await writer.writes("once only");
  await writer.seesSent("once only");
  await writer.page.reload();
  await writer.sees("once only");
  expect(swallowed).toBe(1);
  expect(await api.bodies(room)).toEqual(["once only"]);
});

test("a refused message stays with the reason, and can be taken back", async ({ api, person }) => {
  const room = await api.room();
  const account = await api.account();
  const writer = await person();
  await writer.signsIn(account);
  await writer.opens(room);
  await writer.page.route("**/messages", (route) =>
    route.request().method() === "POST"
      ? route.fulfill({
          status: 422,
          contentType: "application/problem+json",
          body: JSON.stringify({ title: "No", status: 422, code: "invalid", detail: "That cannot be said." }),
        })
      : route.fallback(),
  );
  await writer.writes("unsayable");
  await expect(writer.message("unsayable")).toContainText("Not sent: That cannot be said.");
  await writer.page.unrouteAll();
  await writer.page.getByRole("button", { name: "Retry" }).click();
  await writer.seesSent("unsayable");
  expect(await api.bodies(room)).toEqual(["unsayable"]);
});

test("when a session ends elsewhere, the page says so, keeps the draft and continues after signing in", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const account = await api.account();
  const writer = await person();
  await writer.signsIn(account);
  await writer.opens(room);
  await writer.field.fill("unfinished");
  await api.send("POST", `/users/${account.id}/end-sessions`, undefined, await api.admin());

  await expect(writer.page.getByText(/Your session has ended/)).toBeVisible();
  await writer.page.getByRole("main").getByRole("link", { name: "Sign in" }).first().click();
  await writer.page.getByLabel("Username").fill(account.username);
  await writer.page.getByLabel("Password").fill(account.password);
  await writer.page.getByRole("button", { name: "Sign in" }).click();
  await expect(writer.field).toHaveValue("unfinished");
  await writer.field.press("Enter");
  await writer.seesSent("unfinished");
});

test("a token change hands the stream over without missing an event", async ({ person }) => {
  // `expiring` is sent at least a minute before the end: with this lifetime after 6 s, and again with every new token.
  const server = await Server.start("tokens", { ACCESS_TOKEN_TTL_SECS: "64" });
  try {
    const api = new Api(server.url);
    const room = await api.room();
    const account = await api.account();
    const author = await api.account();
    const reader = await person({ url: server.url });
    const tokens = new Set<string | null>();
    reader.page.on("request", (request) => {
      const { pathname, searchParams } = new URL(request.url());
      if (pathname === "/sse") tokens.add(searchParams.get("access_token"));
    });
    await reader.signsIn(account);
    await reader.opens(room);
    tokens.clear();
    const posted: string[] = [];
    for (let n = 1; tokens.size < 3; n++) {
      posted.push(`line ${n}`);
      await api.post(author, room, `line ${n}`);
      await reader.page.waitForTimeout(100);
    }
    await reader.sees(posted.at(-1) ?? "");
    expect(await reader.readsAll()).toEqual(posted);
    await expect(reader.field).toBeVisible();
  } finally {
    await server.stop();
  }
});

test("an unreachable server shows an error, not a blank page", async ({ person }) => {
  const guest = await person();
  await guest.page.route(/\/rooms(\?|$)/, (route) => route.abort());
  await guest.goesTo("/");
  await expect(guest.page.getByRole("heading", { name: "Could not load rooms" })).toBeVisible();
  await guest.page.unrouteAll();
  await guest.page.getByRole("button", { name: "Try again" }).click();
  await expect(guest.page).toHaveURL(/\/r\//);
});
