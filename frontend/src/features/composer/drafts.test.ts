import { beforeEach, expect, test, vi } from "vitest";

/** Simulates another window of the same browser: separate modules, the same storage. */
async function aWindow() {
  vi.resetModules();
  sessionStorage.clear();
  return import("./drafts");
}

/** Notifies the windows of this test that another one changed `key`, as a browser does. */
function changed(key: string, oldValue: string | null): void {
  const newValue = localStorage.getItem(key);
  window.dispatchEvent(new StorageEvent("storage", { key, oldValue, newValue }));
}

const keys = () => Object.keys(localStorage).filter((key) => key.startsWith("gapless.draft."));

beforeEach(() => {
  let now = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => ++now);
});

test("two windows typing in one place never overwrite each other", async () => {
  const [one, two] = [await aWindow(), await aWindow()];
  one.writeDraft("ali", "room:1", "first window");
  two.writeDraft("ali", "room:1", "second window");
  one.writeDraft("ali", "room:1", "first window, more");
  expect(one.readDraft("ali", "room:1")).toBe("first window, more");
  expect(two.readDraft("ali", "room:1")).toBe("second window");
  two.writeDraft("ali", "room:1", "");
  expect(one.readDraft("ali", "room:1")).toBe("first window, more");
  expect(two.readDraft("ali", "room:1"), "a sent text does not come back from elsewhere").toBe("");
});

test("a window opened later starts with the newest text of any window", async () => {
  const one = await aWindow();
  one.writeDraft("ali", "room:1", "half a thought");
  const later = await aWindow();
  expect(later.readDraft("ali", "room:1")).toBe("half a thought");
  expect(later.readDraft("zoe", "room:1")).toBe("");
  expect(later.readDraft("ali", "room:11")).toBe("");
});

test("a draft that was sent from another window is not offered again", async () => {
  (await aWindow()).writeDraft("ali", "room:1", "of a closed window");
  const later = await aWindow();
  later.writeDraft("ali", "room:1", "of a closed window!");
  later.writeDraft("ali", "room:1", "");
  const last = await aWindow();
  expect(last.readDraft("ali", "room:1")).toBe("");
});

test("text typed while another window sent an earlier version is kept", async () => {
  const one = await aWindow();
  one.writeDraft("ali", "room:1", "half");
  const [key = ""] = keys();
  const before = localStorage.getItem(key);
  one.writeDraft("ali", "room:1", "half a thought");
  // The other window had not seen the last keystrokes when it removed the text that it sent.
  localStorage.removeItem(key);
  changed(key, before);
  expect(one.readDraft("ali", "room:1")).toBe("half a thought");

  const after = localStorage.getItem(key);
  localStorage.removeItem(key);
  changed(key, after);
  expect(one.readDraft("ali", "room:1"), "now all of it was sent").toBe("");
});

test("a draft of an older release is taken over, and removed once sent", async () => {
  localStorage.setItem("gapless.draft.ali.room:1", "from before");
  const now = await aWindow();
  expect(now.readDraft("ali", "room:1")).toBe("from before");
  now.writeDraft("ali", "room:1", "from before, longer");
  now.writeDraft("ali", "room:1", "");
  expect(localStorage.getItem("gapless.draft.ali.room:1")).toBeNull();
});

test("a reload keeps the window's own draft; a duplicated tab does not share it", async () => {
  const one = await aWindow();
  one.writeDraft("ali", "room:1", "mine");
  (await aWindow()).writeDraft("ali", "room:1", "of another window");
  vi.resetModules();
  const reloaded = await import("./drafts");
  expect(reloaded.readDraft("ali", "room:1"), "no pagehide: as a duplicated tab").toBe("of another window");
  window.dispatchEvent(new Event("pagehide"));
  expect(sessionStorage.getItem("gapless.window")).not.toBeNull();
});

test("empty records are removed with their window", async () => {
  const one = await aWindow();
  one.writeDraft("ali", "room:1", "sent");
  one.writeDraft("ali", "room:1", "");
  expect(keys()).toHaveLength(1);
  window.dispatchEvent(new Event("pagehide"));
  expect(keys()).toEqual([]);
});
