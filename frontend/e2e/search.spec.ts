// Search of messages, as a guest and as a user.

import AxeBuilder from "@axe-core/playwright";
import { type Account, type Api, type Room, unique } from "./api";
import { expect, type Person, test } from "./person";

const field = ({ page }: Person) => page.getByRole("combobox", { name: "Search messages" });
const results = ({ page }: Person) =>
  page.getByRole("listbox", { name: "Messages found" }).getByRole("option");
const flaws = async ({ page }: Person) => {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
};

/** A room with a long conversation, in which one word is rare. */
async function talked(api: Api): Promise<{ room: Room; author: Account; rare: string }> {
  const room = await api.room();
  const author = await api.account();
  const rare = unique("rare").replace("-", "");
  for (let n = 1; n <= 40; n++) {
    const body = n === 3 || n === 20 ? `line ${n} with ${rare} and \`code\`` : `line ${n} of the talk`;
    await api.post(author, room, body);
  }
  return { room, author, rare };
}

test("a guest finds a message, sees it in its place and shares the search", async ({ api, person }) => {
  const { room, rare } = await talked(api);
  const other = await api.room();
  const guest = await person();
  await guest.page.setViewportSize({ width: 1280, height: 800 });
  await guest.opens(other);
  await guest.page.keyboard.press("Control+Shift+F");
  await expect(field(guest)).toBeFocused();
  await guest.page.keyboard.type(rare);
  await expect(results(guest)).toHaveCount(2);
  await expect(results(guest).first().locator("mark")).toHaveText(rare);
  expect(await flaws(guest)).toEqual([]);

  await guest.page.keyboard.press("ArrowDown");
  await guest.page.keyboard.press("Enter");
  await expect(guest.page).toHaveURL(new RegExp(`${room.id}/3\\?search=${rare}$`));
  await expect(guest.message("line 3 with")).toBeInViewport();
  await expect(field(guest)).toBeFocused();

  const friend = await person();
  await friend.goesTo(new URL(guest.page.url()).pathname + new URL(guest.page.url()).search);
  await expect(results(friend)).toHaveCount(2);

  await guest.page.keyboard.press("Escape");
  await expect(field(guest)).toHaveCount(0);
  await expect(guest.message("line 3 with")).toBeInViewport();
});

test("a user searches one room, and then all rooms, by keys alone", async ({ api, person }) => {
  const { author, rare } = await talked(api);
  const empty = await api.room();
  const member = await person();
  await member.page.setViewportSize({ width: 1280, height: 800 });
  await member.signsIn(await api.account());
  await member.opens(empty);
  await member.field.press("/");
  await expect(member.field).toHaveValue("/");
  await member.field.clear();
  await member.page.getByRole("button", { name: "Search in this room" }).focus();
  await member.page.keyboard.press("/");
  await expect(field(member)).toHaveValue(/^in:\S+ $/);
  await member.page.keyboard.type(`${rare} from:`);
  await member.page.keyboard.type(author.username);
  await expect(member.page.getByRole("heading", { name: /^Nothing in #/ })).toBeVisible();
  expect(await flaws(member)).toEqual([]);
  await member.page.keyboard.press("Tab");
  await member.page.getByRole("button", { name: "Search all rooms" }).press("Enter");
  await expect(results(member)).toHaveCount(2);
  await expect(field(member)).toBeFocused();
  await member.page.keyboard.type(" has:link");
  await expect(member.page.getByRole("heading", { name: "Nothing found" })).toBeVisible();
  await member.page.keyboard.press("Escape");
  await expect(field(member)).toHaveCount(0);
});
