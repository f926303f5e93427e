import { unique } from "./api";
import { expect, test } from "./person";

const ADMIN = { username: "admin", password: "admin" };

test("an admin creates, renames, archives and restores a room, and others see it live", async ({
  person,
}) => {
  const [admin, guest] = [await person(), await person()];
  await admin.signsIn(ADMIN);
  await guest.goesTo("/");
  await guest.isLive();
  const first = unique("Garden");
  const second = unique("Orchard");

  await admin.goesTo("/admin/rooms");
  await admin.page.getByRole("button", { name: "New room" }).click();
  await admin.page.getByRole("textbox", { name: "Name" }).fill(first);
  await admin.page.getByRole("button", { name: "Create room" }).click();
  await expect(admin.page.getByRole("heading", { name: first, level: 1 })).toBeVisible();
  await guest.page.getByRole("link", { name: first }).click();
  await guest.isLive();

  await admin.goesTo("/admin/rooms");
  await admin.picks("Rename…", first);
  await admin.page.getByRole("textbox", { name: "Name" }).fill(second);
  await admin.page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
  await expect(guest.page.getByRole("heading", { name: second, level: 1 })).toBeVisible();

  await admin.picks("Edit topic…", second);
  await admin.page.getByRole("textbox", { name: "Topic" }).fill("Apples and pears");
  await admin.page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await expect(guest.page.getByText(/here · Apples and pears$/)).toBeVisible();
  await admin.goesTo("/admin/audit");
  await expect(
    admin.page.getByText(`admin changed the topic of “${second}” to “Apples and pears”`),
  ).toBeVisible();
  await expect(admin.page.getByText(`admin renamed the room “${first}” to “${second}”`)).toBeVisible();
  await admin.goesTo("/admin/rooms");

  await admin.picks("Archive…", second);
  await admin.page.getByRole("dialog").getByRole("button", { name: "Archive room" }).click();
  await expect(guest.page.getByRole("heading", { name: /was archived/ })).toBeVisible();
  await expect(guest.page.getByRole("link", { name: second })).toHaveCount(0);

  await admin.page.getByRole("link", { name: /^Archived/ }).click();
  await admin.page.getByRole("button", { name: `Restore ${second}` }).click();
  await expect(guest.page.getByRole("link", { name: second })).toBeVisible();
  await expect(guest.page.getByRole("heading", { name: second, level: 1 })).toBeVisible();

  // The same twice in one go, each undone by its toast.
  await admin.page.getByRole("link", { name: "Active" }).click();
  await admin.picks("Archive…", second);
  await admin.page.getByRole("dialog").getByRole("button", { name: "Archive room" }).click();
  await expect(guest.page.getByRole("heading", { name: /was archived/ })).toBeVisible();
  const toast = admin.page
    .getByTestId("toast")
    .filter({ hasText: `“${second}” was archived` })
    .last();
  await toast.getByRole("button", { name: "Undo" }).click();
  await expect(guest.page.getByRole("heading", { name: second, level: 1 })).toBeVisible();
});

test("a mute disables the composer immediately and shows its reason; unmuting enables it again", async ({
  api,
  person,
}) => {
  const room = await api.room();
  const account = await api.account();
  const [admin, loud] = [await person(), await person()];
  await loud.signsIn(account);
  await loud.opens(room);
  await loud.writes("very loud");
  await loud.seesSent("very loud");

  await admin.signsIn(ADMIN);
  await admin.goesTo("/admin/users");
  const act = async (name: string) => {
    await admin.page.getByLabel("Search people").fill(account.username);
    await admin.page.getByRole("button", { name: `Actions for ${account.username}` }).click();
    await admin.page.getByRole("menuitem", { name }).click();
  };
  await act("Mute…");
  await admin.page.getByLabel("Reason").fill("too loud");
  await admin.page.getByRole("dialog").getByRole("button", { name: "Mute" }).click();
  await expect(loud.page.getByText(/An admin has muted you until .*You can keep reading/)).toBeVisible();
  await expect(loud.page.getByText("Reason: “too loud”")).toBeVisible();
  await expect(loud.page.getByText("60 minutes left").or(loud.page.getByText("1 hour left"))).toBeVisible();
  await expect(loud.field).toHaveCount(0);
  await loud.page.reload();
  await expect(loud.page.getByText(/An admin has muted you/)).toBeVisible();

  await act("Unmute");
  await admin.page.getByRole("dialog").getByRole("button", { name: "Unmute" }).click();
  await loud.writes("quietly");
  await loud.seesSent("quietly");
});

test("a ban ends the session of an open page; a promotion opens the admin pages without a reload", async ({
  api,
  person,
}) => {
  const account = await api.account();
  const [admin, member] = [await person(), await person()];
  await member.signsIn(account);
  await member.isLive();
  await admin.signsIn(ADMIN);
  await admin.goesTo("/admin/users");
  const act = async (name: string) => {
    await admin.page.getByLabel("Search people").fill(account.username);
    await admin.page.getByRole("button", { name: `Actions for ${account.username}` }).click();
    await admin.page.getByRole("menuitem", { name }).click();
  };

  await act("Make admin");
  await admin.page.getByRole("dialog").getByRole("button", { name: "Make admin" }).click();
  await expect(member.page.getByRole("link", { name: "Administration" })).toBeVisible();

  await act("Ban…");
  await admin.page.getByLabel("Reason").fill("enough");
  await admin.page.getByRole("dialog").getByRole("button", { name: "Ban" }).click();
  await expect(member.page.getByText("You were banned: enough.")).toBeVisible();
  await expect(admin.page.getByText("Banned", { exact: true })).toBeVisible();
  await member.goesTo("/sign-in");
  await member.page.getByLabel("Username").fill(account.username);
  await member.page.getByLabel("Password").fill(account.password);
  await member.page.getByRole("button", { name: "Sign in" }).click();
  await expect(member.page.getByRole("alert")).toContainText("You were banned: enough.");
});

test("an admin deletes another user's message", async ({ api, person }) => {
  const room = await api.room();
  const admin = await person();
  await admin.signsIn(ADMIN);
  await admin.opens(room);
  await api.post(await api.account(), room, "rude words");
  await admin.message("rude words").hover();
  await expect(admin.page.getByRole("button", { name: "Edit message" })).toHaveCount(0);
  await admin.page.getByRole("button", { name: "Delete message" }).click();
  await admin.page.getByRole("dialog").getByRole("button", { name: "Delete message" }).click();
  await admin.sees("This message was deleted.");
});

test("a private message to several people reaches each one separately", async ({ api, person }) => {
  const [ali, zoe] = [await api.account(), await api.account()];
  const [admin, first, second, outsider] = [await person(), await person(), await person(), await person()];
  await first.signsIn(ali);
  await second.signsIn(zoe);
  await outsider.signsIn(await api.account());
  const secret = unique("secret");

  await admin.signsIn(ADMIN);
  await admin.goesTo("/dm/new");
  for (const { username } of [ali, zoe]) {
    await admin.page.getByRole("searchbox", { name: "To" }).fill(username);
    await admin.page.getByRole("checkbox", { name: username }).check();
  }
  await admin.page.getByRole("textbox", { name: "Message", exact: true }).fill(secret);
  await admin.page.getByRole("button", { name: "Send to 2 people" }).click();

  for (const recipient of [first, second]) {
    const entry = recipient.page.getByRole("link", { name: /admin.*New/ });
    await expect(entry).toBeVisible();
    await entry.click();
    await recipient.sees(secret);
    await expect(recipient.page.getByText("only the two of you can read this")).toBeVisible();
    await expect(recipient.page.getByRole("link", { name: /admin.*New/ })).toHaveCount(0);
  }
  await admin.page.getByRole("link", { name: ali.username }).first().click();
  await admin.sees(secret);
  await outsider.goesTo("/dm");
  await outsider.doesNotSee(secret);
  await expect(outsider.page.getByText("No private messages yet")).toBeVisible();
});
