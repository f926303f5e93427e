// What people do on two hosts, whoever runs them: told once, for a server of the test's own and for a whole deployment.

import type { Api } from "./api";
import { unique } from "./api";
import { expect, type Person } from "./person";

const ADMIN = { username: "admin", password: "admin" };

interface Hosts {
  /** Where people go. */
  page: string;
  /** How the test itself reaches the API. */
  api: Api;
  /** Takes every server away, and back. */
  lose(): Promise<void>;
  find(): Promise<void>;
}

export async function spendADay(
  person: (options: { url: string }) => Promise<Person>,
  { page, api, lose, find }: Hosts,
): Promise<void> {
  const room = await api.room();
  const [writer, guest] = [await person({ url: page }), await person({ url: page })];
  const refused: string[] = [];
  writer.page.on("console", (line) => {
    if (/Content Security Policy|CORS/.test(line.text())) refused.push(line.text());
  });

  await guest.opens(room);
  await writer.signsIn(await api.account());
  await writer.opens(room);
  await writer.writes("across two sites");
  await writer.seesSent("across two sites");
  await guest.sees("across two sites");

  await lose();
  await writer.writes("while it was away");
  await find();
  await writer.seesSent("while it was away");
  await guest.sees("while it was away");
  // What a proxy says for servers that are away comes without the API's headers, which a browser reports as CORS.
  refused.length = 0;

  await writer.page.reload();
  await writer.isLive();
  await writer.writes("after a reload");
  await writer.seesSent("after a reload");
  expect(await writer.page.context().cookies()).toEqual([]);

  await writer.goesTo("/settings");
  await writer.page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  await expect(writer.page.getByRole("link", { name: "Sign up" }).first()).toBeVisible();

  await writer.signsIn(ADMIN);
  await writer.goesTo("/admin/rooms");
  const made = unique("Garden");
  await writer.page.getByRole("button", { name: "New room" }).click();
  await writer.page.getByRole("textbox", { name: "Name" }).fill(made);
  await writer.page.getByRole("button", { name: "Create room" }).click();
  await expect(guest.page.getByRole("link", { name: made })).toBeVisible();
  expect(refused).toEqual([]);
}
