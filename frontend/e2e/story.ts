// A day of use with the app and the API on two hosts. Shared by the tests of a local server and of a deployment.

import type { Api } from "./api";
import { unique } from "./api";
import { expect, type Person } from "./person";

const ADMIN = { username: "admin", password: "admin" };

interface Hosts {
  /** Address of the app. */
  page: string;
  /** The API, as called by the test itself. */
  api: Api;
  /** Stops every server, and starts them again. */
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
  // A proxy's error response for unreachable servers lacks the API's headers, which a browser reports as a CORS error.
  refused.length = 0;

  await writer.page.reload();
  await writer.isLive();
  await writer.writes("after a reload");
  await writer.seesSent("after a reload");
  expect(await writer.page.context().cookies()).toEqual([]);

  await writer.goesTo("/settings");
  await writer.page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  await expect(writer.page.getByRole("link", { name: "Sign in" }).first()).toBeVisible();

  await writer.signsIn(ADMIN);
  await writer.goesTo("/admin/rooms");
  const made = unique("Garden");
  await writer.page.getByRole("button", { name: "New room" }).click();
  await writer.page.getByRole("textbox", { name: "Name" }).fill(made);
  await writer.page.getByRole("button", { name: "Create room" }).click();
  await expect(guest.page.getByRole("link", { name: made })).toBeVisible();
  expect(refused).toEqual([]);
}
