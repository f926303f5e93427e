import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeLocks } from "../testing/fake-locks";
import { exclusively } from "./exclusive";

let locks: FakeLocks;
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  locks = new FakeLocks();
  vi.stubGlobal("navigator", { locks: locks.tab() });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("runs one at a time; the second does not wait forever for one that hangs", async () => {
  const began: string[] = [];
  void exclusively("x", 5_000, (isAlone) => {
    began.push(`first ${isAlone}`);
    return new Promise(() => {});
  });
  const second = exclusively("x", 5_000, async (isAlone) => {
    began.push(`second ${isAlone}`);
    return "done";
  });
  await vi.advanceTimersByTimeAsync(4_900);
  expect(began).toEqual(["first true"]);
  await vi.advanceTimersByTimeAsync(200);
  expect(await second).toBe("done");
  expect(began).toEqual(["first true", "second false"]);
});

test("an error of the work reaches the caller, and the work runs once", async () => {
  const work = vi.fn(() => Promise.reject(new Error("no")));
  const outcome = exclusively("x", 5_000, work).catch((error: Error) => error.message);
  await settle();
  expect(await outcome).toBe("no");
  expect(work).toHaveBeenCalledOnce();
});

test("without locks the work runs immediately", async () => {
  vi.stubGlobal("navigator", {});
  expect(await exclusively("x", 5_000, async (isAlone) => isAlone)).toBe(false);
});

test("when the lock request is rejected, the work still runs", async () => {
  const request = () => Promise.reject(new DOMException("denied", "SecurityError"));
  vi.stubGlobal("navigator", { locks: { request } });
  expect(await exclusively("x", 5_000, async (isAlone) => isAlone)).toBe(false);
});
