import { afterEach, expect, test, vi } from "vitest";
import { browserStorage, storageTrouble } from "./storage";

afterEach(() => {
  vi.restoreAllMocks();
  browserStorage.follow(null);
});

const refuse = (method: "setItem" | "getItem" | "removeItem", error: Error) =>
  vi.spyOn(Storage.prototype, method).mockImplementation(() => {
    throw error;
  });

test("a value that does not fit is kept in memory, and the trouble is reported", async () => {
  browserStorage.write("gapless.a", "stored");
  const told = vi.fn();
  const stop = storageTrouble.subscribe(told);
  refuse("setItem", new DOMException("full", "QuotaExceededError"));
  browserStorage.write("gapless.a", "newer");
  browserStorage.write("gapless.b", "new");
  expect(browserStorage.read("gapless.a")).toBe("newer");
  expect(browserStorage.read("gapless.b")).toBe("new");
  expect(browserStorage.keys("gapless.").sort()).toEqual(["gapless.a", "gapless.b"]);
  await Promise.resolve();
  expect(told).toHaveBeenCalledOnce();
  expect(storageTrouble.current).toBe("full");
  stop();
});

test("when storage is blocked, reading, writing and removing work in memory", () => {
  const storage = vi.spyOn(window, "localStorage", "get").mockImplementation(() => {
    throw new DOMException("denied", "SecurityError");
  });
  expect(browserStorage.read("gapless.a")).toBeNull();
  browserStorage.write("gapless.a", "1");
  expect(browserStorage.read("gapless.a")).toBe("1");
  browserStorage.remove("gapless.a");
  expect(browserStorage.read("gapless.a")).toBeNull();
  expect(browserStorage.keys("gapless.")).toEqual([]);
  expect(storageTrouble.current).toBe("blocked");
  storage.mockRestore();
});

test("a value stored by another tab replaces one that this tab could not store", () => {
  refuse("setItem", new DOMException("full", "QuotaExceededError")).mockImplementationOnce(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  browserStorage.write("gapless.a", "in memory");
  vi.restoreAllMocks();
  localStorage.setItem("gapless.a", "of another tab");
  window.dispatchEvent(new StorageEvent("storage", { key: "gapless.a", storageArea: localStorage }));
  expect(browserStorage.read("gapless.a")).toBe("of another tab");
});

test("once there is space again, the refused values are stored and the trouble is over", () => {
  const refused = refuse("setItem", new DOMException("full", "QuotaExceededError"));
  browserStorage.write("gapless.a", "refused");
  expect(storageTrouble.current).toBe("full");
  refused.mockRestore();
  browserStorage.remove("gapless.other");
  expect(localStorage.getItem("gapless.a")).toBe("refused");
  expect(storageTrouble.current).toBeNull();
});

test("a value that fits does not end the trouble while another one is refused", () => {
  vi.spyOn(Storage.prototype, "setItem").mockImplementation((key) => {
    if (key === "gapless.large") throw new DOMException("full", "QuotaExceededError");
  });
  browserStorage.write("gapless.large", "x");
  browserStorage.write("gapless.small", "y");
  expect(storageTrouble.current).toBe("full");
});
