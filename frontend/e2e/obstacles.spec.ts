import type { Route } from "@playwright/test";
import { BufferingProxy } from "./buffering-proxy";
import { expect, test } from "./person";

const isPost = (route: Route) => route.request().method() === "POST";

test("the app works without storage, and says so", async ({ api, person }) => {
  const room = await api.room();
  const guest = await person();
  await guest.page.addInitScript(() => {
    const deny = (): never => {
      throw new DOMException("denied", "SecurityError");
    };
    for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, { get: deny });
    LockManager.prototype.request = async () => deny();
  });
  await guest.opens(room);
  const sentence = guest.page.getByText("This browser does not let Gapless store data.");
  await expect(sentence).toBeVisible();
  await guest.page.getByRole("button", { name: "Dismiss" }).click();
  await expect(sentence).toHaveCount(0);

  const account = await api.account();
  await guest.page.getByRole("main").getByRole("link", { name: "Sign in" }).first().click();
  await guest.page.getByLabel("Username").fill(account.username);
  await guest.page.getByLabel("Password").fill(account.password);
  await guest.page.getByRole("button", { name: "Sign in" }).click();
  await guest.writes("kept in memory");
  await guest.seesSent("kept in memory");
  await expect(guest.field).toHaveValue("");
});

test("typing, sending and signing in work with full storage", async ({ api, person }) => {
  const room = await api.room();
  const member = await person();
  await member.page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  });
  await member.signsIn(await api.account());
  await member.page.evaluate((path) => {
    history.pushState(null, "", path);
    dispatchEvent(new PopStateEvent("popstate"));
  }, `/r/${room.id}`);
  await member.field.pressSequentially("typed");
  await expect(member.page.getByText("This browser is out of storage space.")).toBeVisible();
  await expect(member.field).toHaveValue("typed");
  await member.field.press("Enter");
  await member.seesSent("typed");
});

test("a chunk that fails to load is loaded later, and the page stays as it is", async ({ api, person }) => {
  const room = await api.room();
  await api.post(await api.account(), room, "plain");
  const reader = await person();
  await reader.opens(room);
  await reader.page.route("**/assets/*", (route) => route.abort());
  await reader.page.getByRole("link", { name: "Sign in" }).first().click();
  await expect(reader.page.getByText("Part of this page could not be loaded. Trying again…")).toBeVisible();
  await reader.sees("plain");
  await api.post(await api.account(), room, "**bold** after all");
  await reader.sees("bold after all");
  await reader.page.unrouteAll();
  await expect(reader.page.getByLabel("Password")).toBeVisible();
  await reader.page.goBack();
  await expect(reader.page.locator("strong", { hasText: "bold" })).toBeVisible();
});

test("a page of the previous release offers a reload when its chunks are gone", async ({ api, person }) => {
  const room = await api.room();
  const reader = await person();
  await reader.opens(room);
  let isReloaded = false;
  reader.page.on("request", (request) => {
    isReloaded ||= request.isNavigationRequest();
  });
  await reader.page.route("**/assets/CredentialsPage*", (route) =>
    isReloaded ? route.fallback() : route.fulfill({ status: 404 }),
  );
  await reader.page.route(/localhost:\d+\/$/, (route) =>
    route.fulfill({
      contentType: "text/html",
      body: '<script type="module" src="/assets/index-new.js"></script>',
    }),
  );
  await reader.page.getByRole("link", { name: "Sign in" }).first().click();
  await expect(reader.page.getByText("A newer version of Gapless is available.")).toBeVisible();
  await reader.page.getByRole("button", { name: "Reload" }).click();
  await expect(reader.page.getByLabel("Password")).toBeVisible();
});

test("a message that a faulty gateway refuses is retried with back-off, and can be taken back", async ({
  api,
  person,
}) => {
  const [room, elsewhere] = [await api.room(), await api.room()];
  const writer = await person();
  await writer.signsIn(await api.account());
  await writer.opens(room);
  let asked = 0;
  const since = Date.now();
  await writer.page.route("**/messages", (route) => {
    if (!isPost(route) || !route.request().postData()?.includes(room.id)) return route.fallback();
    asked += 1;
    return route.fulfill({ status: 502, headers: { "Retry-After": "0" }, body: "Bad gateway" });
  });
  await writer.writes("stuck");
  await writer.writes("behind it");
  await expect(writer.message("stuck")).toContainText("Not sent yet: The server responded with error 502.");
  await expect(writer.message("behind it")).toContainText("Waiting for the message above");
  await expect.poll(() => asked).toBeGreaterThan(2);
  // At most one attempt a second, although the gateway allows to retry at once.
  expect(asked).toBeLessThanOrEqual(1 + (Date.now() - since) / 1_000);

  await writer.opens(elsewhere);
  await writer.writes("other rooms go on");
  await writer.seesSent("other rooms go on");

  await writer.opens(room);
  await writer.message("stuck").getByRole("button", { name: "Take back" }).click();
  await expect(writer.field).toHaveValue("stuck");
  await writer.page.unrouteAll();
  await writer.seesSent("behind it");
  expect(await api.bodies(room)).toEqual(["behind it"]);
});

test("a buffering proxy is reported, and messages are polled until the stream works", async ({
  api,
  person,
  baseURL,
}) => {
  const proxy = await BufferingProxy.before(baseURL ?? "");
  try {
    const room = await api.room();
    const author = await api.account();
    const posted = ["before"];
    await api.post(author, room, "before");
    const member = await person({ url: proxy.url });
    await member.goesTo(`/r/${room.id}`);
    await member.sees("before");
    const badge = member.page.getByTestId("connection");
    await expect(badge).toHaveAttribute("data-status", "held-back");
    await expect(badge).toHaveText("Delayed");
    await expect(member.page.getByText("A proxy is holding back live updates.")).toBeVisible();
    const wrong = await api.post(author, room, "wrong");
    for (let n = 1; n <= 5; n++) {
      posted.push(`meanwhile ${n}`);
      await api.post(author, room, `meanwhile ${n}`);
    }
    await member.sees("meanwhile 5");
    await api.send("PATCH", `/messages/${wrong.id}`, { body: "right" }, author);
    posted.splice(1, 0, "right");
    await member.sees("right");
    expect(await member.readsAll()).toEqual(posted);

    proxy.passStreams();
    await member.isLive();
    await expect(member.page.getByText("A proxy is holding back live updates.")).toHaveCount(0);
    posted.push("live again");
    await api.post(author, room, "live again");
    await member.sees("live again");
    expect(await member.readsAll()).toEqual(posted);
  } finally {
    await proxy.stop();
  }
});
