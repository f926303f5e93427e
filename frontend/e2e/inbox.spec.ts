// The inbox: mentions, replies and private messages of two people, on desktop and phone.

import AxeBuilder from "@axe-core/playwright";
import type { Account, Api, Room } from "./api";
import { expect, type Person, test } from "./person";

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const isAccessible = async ({ page }: Person) =>
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
const items = ({ page }: Person) =>
  page.getByRole("region", { name: "Inbox" }).getByRole("list").getByRole("link");
const unread = (someone: Person) => items(someone).filter({ hasText: "Unread" });

function mention(api: Api, author: Account, room: Room, reader: Account, body: string) {
  const text = `${body} @[user:${reader.id}]`;
  return api.send("POST", "/messages", { room_id: room.id, body: text, mentions: [reader.id] }, author);
}

for (const [size, viewport] of Object.entries(SIZES)) {
  test(`mentions, replies and private messages arrive and are read everywhere, ${size}`, async ({
    api,
    person,
  }) => {
    const room = await api.room();
    const [reader, author, admin] = [await api.account(), await api.account(), await api.admin()];
    await api.post(reader, room, "what do you think?");
    const zoe = await person();
    await zoe.page.setViewportSize(viewport);
    await zoe.signsIn(reader);
    await zoe.goesTo("/me/inbox");
    await expect(zoe.page.getByRole("heading", { name: "Nothing here yet" })).toBeVisible();
    await isAccessible(zoe);

    const reply = { room_id: room.id, body: "I do", reply_to: 1 };
    await api.send("POST", "/messages", reply, author);
    await mention(api, author, room, reader, "look at this");
    await api.send("POST", "/direct-messages", { recipient_id: reader.id, body: "between us" }, admin);
    await expect(items(zoe)).toHaveCount(3);
    await expect(unread(zoe)).toHaveCount(3);
    await expect(items(zoe).first()).toContainText("wrote to you privately");
    await expect(items(zoe).nth(1)).toContainText(`mentioned you in #${room.name}`);
    await expect(items(zoe).nth(1)).toContainText(`look at this @${reader.username}`);
    await expect(items(zoe).nth(2)).toContainText("replied to you");
    await isAccessible(zoe);

    // Reading the room in another tab reads its items here.
    const tab = await zoe.opensTab();
    await tab.page.setViewportSize(viewport);
    await tab.opens(room);
    await tab.sees("look at this");
    await expect(unread(zoe)).toHaveCount(1);

    // Without a network the list stays; what happened meanwhile arrives with it.
    const gone = await mention(api, author, room, reader, "soon gone");
    await expect(items(zoe)).toHaveCount(4);
    await zoe.page.context().setOffline(true);
    await expect(items(zoe)).toHaveCount(4);
    await api.send("DELETE", `/messages/${gone.id}`, undefined, author);
    await mention(api, author, room, reader, "while you were away");
    await zoe.page.context().setOffline(false);
    await expect(items(zoe).first()).toContainText("while you were away");
    await zoe.page.reload();
    await expect(items(zoe)).toHaveCount(4);
    await expect(items(zoe).filter({ hasText: "soon gone" })).toHaveCount(0);

    await items(zoe).nth(2).click();
    await expect(zoe.page).toHaveURL(new RegExp(`${room.id}/3$`));
    await expect(zoe.message("look at this")).toBeInViewport();
  });
}

test("all items are marked as read together, in every tab", async ({ api, person }) => {
  const [quiet, other] = [await api.room(), await api.room()];
  const [reader, author] = [await api.account(), await api.account()];
  const zoe = await person();
  await zoe.page.setViewportSize(SIZES.desktop);
  await zoe.signsIn(reader);
  await zoe.opens(quiet);
  await mention(api, author, other, reader, "hello");
  const pill = zoe.page.getByRole("link", { name: `${other.name} 1 mention, 1 unread` });
  await expect(pill).toBeVisible();
  await zoe.page.keyboard.press("Control+Shift+M");
  await expect(unread(zoe)).toHaveCount(1);
  await zoe.page.getByRole("button", { name: "All read" }).click();
  await expect(unread(zoe)).toHaveCount(0);
  await expect(zoe.page.getByRole("link", { name: "Inbox", exact: true })).toBeVisible();
  await zoe.page.reload();
  await expect(items(zoe)).toHaveCount(1);
  await expect(unread(zoe)).toHaveCount(0);
});

test("a guest is asked to sign in, and an outage is explained", async ({ api, person }) => {
  const guest = await person();
  await guest.page.setViewportSize(SIZES.phone);
  await guest.goesTo("/me/inbox");
  await expect(guest.page.getByText("Sign in to see who mentioned you or replied to you.")).toBeVisible();
  await isAccessible(guest);

  const zoe = await person();
  await zoe.page.route("**/inbox?*", (route) =>
    route.fulfill({ status: 404, json: { status: 404, code: "not_found", detail: "There is no inbox." } }),
  );
  await zoe.signsIn(await api.account());
  await zoe.goesTo("/me/inbox");
  await expect(zoe.page.getByRole("heading", { name: "Could not load your inbox" })).toBeVisible();
  await isAccessible(zoe);
});

test("an admin notifies a whole room after a question", async ({ api, person }) => {
  const room = await api.room();
  const [reader, admin] = [await api.account(), await api.admin()];
  await api.post(reader, room, "I was here");
  const [ada, zoe] = [await person(), await person()];
  await ada.page.setViewportSize(SIZES.phone);
  await ada.signsIn(admin);
  await ada.opens(room);
  await zoe.signsIn(reader);
  await zoe.goesTo("/me/inbox");

  await ada.field.fill("@room lunch");
  await ada.page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(ada.page.getByRole("alert")).toContainText("Notify 1 person?");
  await isAccessible(ada);
  await ada.page.getByRole("button", { name: "Notify", exact: true }).click();
  await ada.seesSent("@room lunch");
  await expect(items(zoe).first()).toContainText(`mentioned you in #${room.name}`);

  await ada.field.fill("@room quietly");
  await ada.page.getByRole("button", { name: "Send", exact: true }).click();
  await ada.page.getByRole("button", { name: "Send without notifying" }).click();
  await ada.seesSent("@room quietly");
  await ada.field.fill("an e-mail to me@room.example and `@room`");
  await ada.page.getByRole("button", { name: "Send", exact: true }).click();
  await ada.seesSent("an e-mail");
  await expect(items(zoe)).toHaveCount(1);
});
