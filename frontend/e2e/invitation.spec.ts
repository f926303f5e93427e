// Sign-up by invitation: from the admin page to the first message of a new user.

import { Api } from "./api";
import { expect, test } from "./person";
import { Server } from "./server";

test("one person can join with a single-use link, and the next one cannot", async ({ person }) => {
  const server = await Server.start("invitation", { REGISTRATION: "invite" });
  try {
    const room = await new Api(server.url).room("Parlour");
    const [admin, guest, late] = await Promise.all([1, 2, 3].map(() => person({ url: server.url })));
    if (!admin || !guest || !late) throw new Error("Three came.");
    await admin.signsIn({ username: "admin", password: "admin" });
    await admin.goesTo("/admin/invitations");
    await admin.page.getByRole("button", { name: "New invitation" }).click();
    await admin.page.getByRole("button", { name: "Create invitation" }).click();
    const link = new URL(await admin.page.getByRole("textbox", { name: "Link" }).inputValue());

    const joins = async (newcomer: typeof guest, username: string) => {
      await newcomer.goesTo(link.pathname + link.search);
      await expect(newcomer.page.getByLabel("Invitation")).not.toHaveValue("");
      await newcomer.page.getByLabel("Username").fill(username);
      await newcomer.page.getByLabel("Password").fill("a long password");
      await newcomer.page.getByRole("button", { name: "Create account" }).click();
    };
    await joins(guest, "welcome");
    await expect(guest.page).not.toHaveURL(/sign-up/);
    await guest.opens(room);
    await guest.writes("glad to be here");
    await guest.seesSent("glad to be here");

    await joins(late, "too.late");
    await expect(late.page.getByRole("alert")).toContainText("no longer valid");
    await admin.page.getByRole("button", { name: "Done" }).click();
    await admin.page.reload();
    await expect(admin.page.getByRole("list", { name: "Invitations" })).toContainText("Used");
  } finally {
    await server.stop();
  }
});
