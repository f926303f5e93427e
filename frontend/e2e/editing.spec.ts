// Inline editing: no typed text is lost, whatever happens to the message or its room meanwhile.

import type { Api, Room } from "./api";
import { expect, type Person, test } from "./person";

async function author(api: Api, person: () => Promise<Person>): Promise<{ someone: Person; room: Room }> {
  const room = await api.room();
  const someone = await person();
  await someone.signsIn(await api.account());
  await someone.opens(room);
  return { someone, room };
}

const editor = ({ page }: Person) => page.getByRole("textbox", { name: "Edit message" });

test("an edit can be emptied, and saving an empty edit offers to delete the message", async ({
  api,
  person,
}) => {
  const { someone } = await author(api, person);
  const { page } = someone;
  await someone.writes("too much said");
  await someone.seesSent("too much said");

  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Backspace");
  await expect(editor(someone)).toHaveValue("");
  await page.keyboard.type("less");
  await expect(editor(someone)).toHaveValue("less");
  await editor(someone).fill("");
  await page.keyboard.press("Enter");
  const question = page.getByRole("dialog", { name: "Delete this message?" });
  await expect(question).toBeVisible();
  await question.getByRole("button", { name: "Cancel" }).click();
  await expect(editor(someone)).toBeFocused();
  await expect(editor(someone)).toHaveValue("");

  await page.keyboard.press("Enter");
  await question.getByRole("button", { name: "Delete message" }).click();
  await expect(page.getByText("This message was deleted.")).toBeVisible();
  await expect(someone.field).toBeFocused();
});

test("when a message is deleted during an edit, the new text is kept", async ({ api, person }) => {
  const { someone, room } = await author(api, person);
  const { page } = someone;
  await someone.writes("a first try");
  await someone.seesSent("a first try");
  await page.keyboard.press("ArrowUp");
  await editor(someone).fill("a long and careful second try");
  const { messages } = await api.send("GET", `/messages?room_id=${room.id}`);
  await api.send("DELETE", `/messages/${messages[0].id}`, undefined, await api.admin());

  await expect(page.getByText("This message was deleted.")).toBeVisible();
  const kept = page.getByRole("region", { name: "Your unfinished edit" });
  await expect(kept).toContainText("a long and careful second try");
  await kept.getByRole("button", { name: "Move to message box" }).click();
  await expect(kept).toHaveCount(0);
  await expect(someone.field).toHaveValue("a long and careful second try");
  await expect(someone.field).toBeFocused();
});

test("a room archived during writing or editing still shows the unsent text", async ({ api, person }) => {
  const { someone, room } = await author(api, person);
  const { page } = someone;
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await someone.writes("a first try");
  await someone.seesSent("a first try");
  await page.keyboard.press("ArrowUp");
  await editor(someone).fill("the second try");
  await someone.field.fill("and half a new message");
  await api.send("POST", `/rooms/${room.id}/archive`, undefined, await api.admin());

  await expect(page.getByRole("heading", { name: /was archived/ })).toBeVisible();
  const edit = page.getByRole("region", { name: "Your unfinished edit" });
  await expect(edit).toContainText("the second try");
  const draft = page.getByRole("region", { name: "Your unsent message" });
  await expect(draft).toContainText("and half a new message");
  await edit.getByRole("button", { name: "Copy" }).click();
  await expect(edit.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("the second try");

  // After the room is restored, both texts are back in their fields.
  await api.send("POST", `/rooms/${room.id}/restore`, undefined, await api.admin());
  await expect(someone.field).toHaveValue("and half a new message");
  await expect(editor(someone)).toHaveValue("the second try");
});

test("ArrowUp scrolls to one's last message before it is edited", async ({ api, person }) => {
  const { someone, room } = await author(api, person);
  const { page } = someone;
  await someone.writes("mine, long ago");
  await someone.seesSent("mine, long ago");
  const other = await api.account();
  for (let n = 1; n <= 35; n++) await api.post(other, room, `line ${n}\nwith\nthree more\nlines`);
  await someone.sees("line 35");
  await expect(someone.message("mine, long ago")).toHaveCount(0);

  await someone.field.press("ArrowUp");
  await expect(editor(someone)).toBeFocused();
  await expect(editor(someone)).toBeInViewport({ ratio: 1 });
  // New messages do not remove it, and the text of a row scrolled out of view stays in the editor.
  await page.keyboard.type(", edited");
  await api.post(other, room, "line 36");
  await expect(page.getByRole("button", { name: /Jump to newest|new message/ })).toBeVisible();
  await expect(editor(someone)).toBeInViewport({ ratio: 1 });
  await page.keyboard.press("Enter");
  await expect(someone.message("mine, long ago, edited")).toBeInViewport();
  await expect(someone.field).toBeFocused();

  // After a reload the row has never been rendered, and the list has not measured it.
  await page.reload();
  await page.getByRole("button", { name: /Jump to newest/ }).click();
  await someone.sees("line 36");
  await someone.field.press("ArrowUp");
  await expect(editor(someone)).toBeFocused();
  await expect(editor(someone)).toBeInViewport({ ratio: 1 });
});
