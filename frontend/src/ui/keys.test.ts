import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { KeyboardEvent } from "react";
import { expect, test } from "vitest";
import { isComposing } from "./keys";

const key = (isComposing: boolean, keyCode: number) =>
  ({ nativeEvent: { isComposing }, keyCode }) as unknown as KeyboardEvent;

test("keys of an input method are recognised in every browser", () => {
  expect(isComposing(key(true, 229))).toBe(true); // Chromium and Firefox, while composing
  expect(isComposing(key(false, 229))).toBe(true); // Safari, for the key that ends the composition
  expect(isComposing(key(false, 13))).toBe(false);
});

const SOURCE = join(import.meta.dirname, "..");
const handlers = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter(
  (path) =>
    /\.tsx?$/.test(path) &&
    !path.includes(".test.") &&
    /key === "(Enter|Escape)"/.test(readFileSync(join(SOURCE, path), "utf8")),
);

test.each(handlers)("%s ignores keys of an input method", (path) => {
  expect(readFileSync(join(SOURCE, path), "utf8")).toMatch(/isComposing\(event\)/);
});
