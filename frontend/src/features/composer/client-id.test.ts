import { afterEach, expect, test, vi } from "vitest";
import { newClientId } from "./client-id";

const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

afterEach(() => {
  vi.useRealTimers();
});

test("client ids are UUIDs of version 7, in the order of their times", () => {
  vi.useFakeTimers();
  const ids = ["2026-11-30T12:00:00.000Z", "2026-11-30T12:00:00.001Z", "2040-01-01T00:00:00.000Z"].map(
    (time) => {
      vi.setSystemTime(new Date(time));
      return newClientId();
    },
  );
  for (const id of ids) expect(id).toMatch(VERSION_7);
  expect(ids.toSorted()).toEqual(ids);
  expect(Number.parseInt(ids[0]?.replace("-", "").slice(0, 12) ?? "", 16)).toBe(Date.UTC(2026, 10, 30, 12));
});

test("client ids of one moment differ", () => {
  vi.useFakeTimers();
  expect(new Set(Array.from({ length: 1_000 }, newClientId)).size).toBe(1_000);
});
