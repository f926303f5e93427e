// Takes a screenshot of every screen, to be reviewed by people: `e2e/screenshots/<desktop|phone>-<light|dark>/`.

import type { Api, Room } from "./api";
import { expect, type Person, test } from "./person";

const ADMIN = { username: "admin", password: "admin" };
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** Creates a room with a realistic conversation. */
async function livedIn(api: Api): Promise<Room> {
  const room = await api.room(`Garden ${Math.random().toString(36).slice(2, 5)}`);
  const [mara, otto, ines] = [
    await api.account(`mara.${Math.random().toString(36).slice(2, 6)}`),
    await api.account(`otto.${Math.random().toString(36).slice(2, 6)}`),
    await api.account(`ines.${Math.random().toString(36).slice(2, 6)}`),
  ];
  await api.post(mara, room, "Morning! Has anybody seen the **big watering can**?");
  await api.post(otto, room, "It is behind the shed, next to the compost.");
  await api.post(otto, room, "I put it there when it started to rain.");
  await api.post(mara, room, "Found it, thank you 🌱");
  await api.post(
    ines,
    room,
    "The seed list for spring is here: https://example.org/seeds/spring-list\nPlease add yours before Friday.",
  );
  await api.post(otto, room, "شكرا! سأضيف قائمتي غدا");
  const typo = await api.post(mara, room, "Beans and peas form me");
  await api.send(
    "PATCH",
    `/messages/${typo.id}`,
    { body: "Beans and peas from me. Run `seeds --list` to see what is left." },
    mara,
  );
  const gone = await api.post(ines, room, "wrong room");
  await api.send("DELETE", `/messages/${gone.id}`, undefined, ines);
  return room;
}

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`every screen, ${size}, ${colorScheme}`, async ({ api, person }) => {
      test.setTimeout(600_000);
      const room = await livedIn(api);
      const empty = await api.room(`Attic ${Math.random().toString(36).slice(2, 5)}`);
      const member = await api.account(`lena.${Math.random().toString(36).slice(2, 6)}`);
      const admin = await api.admin();
      for (const body of [
        "Hello, I keep the rooms here.",
        "Write to the Help room if anything is missing.",
      ]) {
        await api.send("POST", "/direct-messages", { recipient_id: member.id, body }, admin);
      }
      const muted = await api.account();
      await api.send("POST", `/users/${muted.id}/mute`, { seconds: 86_400, reason: "advertising" }, admin);

      const look = async (someone: Person, name: string) => {
        await someone.page.waitForTimeout(500);
        await someone.page.screenshot({ path: `e2e/screenshots/${size}-${colorScheme}/${name}.png` });
      };
      const comes = async () => {
        const someone = await person();
        await someone.page.setViewportSize(viewport);
        await someone.page.emulateMedia({ colorScheme });
        return someone;
      };

      const guest = await comes();
      await guest.opens(room);
      await look(guest, "guest-room");
      await guest.opens(empty);
      await look(guest, "guest-empty-room");
      await guest.page.keyboard.press("Control+k");
      await guest.page.keyboard.type("gard");
      await look(guest, "guest-switcher");
      await guest.goesTo("/nowhere");
      await look(guest, "not-found");
      await guest.goesTo("/sign-up");
      await look(guest, "sign-up");
      await guest.page.getByLabel("Username").fill("not allowed!");
      await guest.page.getByLabel("Password").fill("short");
      await guest.page.getByRole("button", { name: "Create account" }).click();
      await look(guest, "sign-up-checked");
      await guest.goesTo("/sign-in");
      await guest.page.getByLabel("Username").fill("ali");
      await guest.page.getByLabel("Password").fill("wrong password");
      await look(guest, "sign-in");
      await guest.page.getByRole("button", { name: "Sign in" }).click();
      await expect(guest.page.getByRole("alert")).toBeVisible();
      await look(guest, "sign-in-refused");
      await guest.page.route(/\/rooms(\?|$)/, (route) => route.abort());
      await guest.goesTo("/");
      await expect(guest.page.getByRole("button", { name: "Try again" })).toBeVisible({ timeout: 20_000 });
      await look(guest, "error");

      const reader = await comes();
      await reader.signsIn(member);
      if (size === "phone") {
        await reader.page.getByRole("button", { name: /Rooms and messages/ }).click();
        await look(reader, "drawer");
      }
      await reader.goesTo("/dm");
      await look(reader, "private-list");
      await reader.goesTo(`/dm/${admin.id}`);
      await look(reader, "private-conversation");
      await reader.opens(room);
      await reader.writes("Tomatoes from me, three kinds");
      await reader.seesSent("Tomatoes from me, three kinds");
      await look(reader, "room");
      await reader.message("Tomatoes").hover();
      await look(reader, "room-hover");
      await reader.page.getByRole("button", { name: "Edit message" }).click();
      await look(reader, "room-editing");
      await reader.page.keyboard.press("Escape");
      await reader.page.context().setOffline(true);
      await reader.writes("Written in the tunnel");
      await look(reader, "offline");
      await reader.page.context().setOffline(false);
      await reader.seesSent("Written in the tunnel");
      await reader.goesTo("/settings");
      await look(reader, "settings");
      await reader.opens(room);
      await reader.field.fill("half a sentence");
      await reader.page.keyboard.press("Control+k");
      await expect(reader.page.getByRole("option").first()).toBeVisible();
      await look(reader, "switcher");
      await reader.page.keyboard.type("sign out");
      await reader.page.keyboard.press("Enter");
      await expect(reader.page.getByRole("dialog", { name: "Sign out?" })).toBeVisible();
      await look(reader, "sign-out");
      await reader.page.keyboard.press("Escape");
      await reader.page.keyboard.press("Control+/");
      await expect(reader.page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
      await look(reader, "keys");
      await reader.page.keyboard.press("Escape");
      const by = await api.admin();
      await api.send("POST", `/users/${member.id}/mute`, { seconds: 4_000, reason: "Too loud" }, by);
      await expect(reader.page.getByText("Reason: “Too loud”")).toBeVisible();
      await look(reader, "muted");
      await api.send("POST", `/users/${member.id}/end-sessions`, undefined, by);
      await expect(reader.page.getByText(/Your session has ended/)).toBeVisible();
      await look(reader, "session-ended");
      await reader.goesTo(`/dm/${admin.id}`);
      await expect(reader.page.getByRole("heading", { name: "Your private messages" })).toBeVisible();

      const boss = await comes();
      await boss.signsIn(ADMIN);
      await boss.opens(room);
      await boss.message("Found it").hover();
      await boss.page.getByRole("button", { name: "Delete message" }).first().click();
      await look(boss, "delete-dialog");
      await boss.goesTo("/admin/rooms");
      await look(boss, "admin-rooms");
      await boss.page.getByRole("button", { name: `Actions for ${empty.name}` }).click();
      await look(boss, "admin-room-menu");
      await boss.page.getByRole("menuitem", { name: "Archive…" }).click();
      await look(boss, "admin-archive");
      await boss.page.getByRole("button", { name: "Archive room" }).click();
      await expect(boss.page.getByTestId("toast")).toBeVisible();
      await look(boss, "admin-archived");
      await boss.page.getByRole("link", { name: /^Archived/ }).click();
      await look(boss, "admin-archived-rooms");
      await boss.page.getByRole("link", { name: "Active" }).click();
      await boss.picks("Message retention…", room.name);
      await look(boss, "admin-retention");
      await boss.page.keyboard.press("Escape");
      await boss.goesTo("/admin/users");
      await look(boss, "admin-people");
      await boss.page.getByRole("button", { name: `Actions for ${muted.username}` }).click();
      await look(boss, "admin-menu");
      await boss.page.getByRole("menuitem", { name: "Ban…" }).click();
      await look(boss, "admin-ban");
      await boss.page.keyboard.press("Escape");
      await boss.page.getByRole("button", { name: `Actions for ${muted.username}` }).click();
      await boss.page.getByRole("menuitem", { name: "Erase…" }).click();
      await look(boss, "admin-erase");
      await boss.page.keyboard.press("Escape");
      await boss.goesTo("/admin/invitations");
      await boss.page.getByRole("button", { name: "New invitation" }).click();
      await look(boss, "admin-invitation-terms");
      await boss.page.getByRole("button", { name: "Create invitation" }).click();
      await look(boss, "admin-invitation-made");
      await boss.page.getByRole("button", { name: "Done" }).click();
      await look(boss, "admin-invitations");
      await boss.goesTo("/admin/audit");
      await look(boss, "admin-audit");
      await boss.goesTo("/dm/00000000-0000-4000-8000-000000000000");
      await look(boss, "private-nobody");
      await boss.goesTo("/dm/new");
      await boss.page.getByRole("checkbox", { name: member.username }).check();
      await look(boss, "private-new");
    });
  }
}
