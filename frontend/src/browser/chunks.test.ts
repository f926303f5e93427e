import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { isChunkMissing, isReloadNeeded, loadChunk } from "./chunks";
import { isNewerReleaseThere } from "./release";

const failure = () => Promise.reject(new TypeError("Failed to fetch dynamically imported module"));
const page = (script: string) =>
  vi.fn(async () => new Response(`<script type="module" crossorigin src="${script}"></script>`));

beforeEach(() => {
  vi.useFakeTimers();
  document.head.innerHTML = '<script type="module" src="/assets/index-1.js"></script>';
  isNewerReleaseThere.set(false);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a chunk requested offline loads when the network is back, and the page says so until then", async () => {
  vi.stubGlobal("fetch", vi.fn(failure));
  const load = vi.fn(failure);
  const chunk = loadChunk<unknown>(load);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(isChunkMissing.current).toBe(true);
  expect(load.mock.calls.length).toBeGreaterThan(2);
  load.mockImplementation(() => Promise.resolve("the chunk") as Promise<never>);
  window.dispatchEvent(new Event("online"));
  expect(await chunk).toBe("the chunk");
  expect(isChunkMissing.current).toBe(false);
  expect(isNewerReleaseThere.current).toBe(false);
});

test("after a deployment a reload is offered; a busy server is retried", async () => {
  const load = vi.fn(failure);
  vi.stubGlobal("fetch", page("/assets/index-1.js"));
  void loadChunk(load);
  await vi.advanceTimersByTimeAsync(100);
  expect(isNewerReleaseThere.current).toBe(false);
  expect(isReloadNeeded.current).toBe(false);
  // The server is reachable for a while, and the browser still fails to load the chunk.
  await vi.advanceTimersByTimeAsync(5_000);
  expect(isReloadNeeded.current).toBe(true);
  vi.stubGlobal("fetch", page("/assets/index-2.js"));
  await vi.advanceTimersByTimeAsync(15_000);
  expect(isNewerReleaseThere.current).toBe(true);
});

test("an error thrown by the chunk itself is not retried", async () => {
  const load = vi.fn(() => Promise.reject(new RangeError("broken")));
  await expect(loadChunk(load)).rejects.toThrow("broken");
  expect(load).toHaveBeenCalledOnce();
});
