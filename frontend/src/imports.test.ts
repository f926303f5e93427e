// Checks that imports go only from upper layers to lower ones.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

/** Layers from top to bottom: a file may import from its own layer and lower ones. */
const LAYERS = [
  "main.tsx",
  "app",
  "features/switcher",
  "features/admin",
  "features/direct-messages",
  "features/rooms",
  "features/search",
  "features/offline",
  "features/inbox",
  "features/timeline",
  "features/settings",
  "features/notifications",
  "features/connection",
  "features/composer",
  "features/people",
  "features/unread",
  "features/session",
  "ui",
  "realtime",
  "api",
  "browser",
];

const SOURCE = import.meta.dirname;
const layerOf = (path: string) => LAYERS.findIndex((layer) => path === layer || path.startsWith(`${layer}/`));

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter(
  (path) => /\.tsx?$/.test(path) && !path.includes(".test.") && !/^(testing|api\/gen)\//.test(path),
);

function importsOf(path: string): string[] {
  const text = readFileSync(join(SOURCE, path), "utf8");
  const targets = [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, target]) => target ?? "");
  return targets.map((target) => relative(SOURCE, resolve(SOURCE, dirname(path), target)));
}

test.each(files)("%s imports only from lower layers", (path) => {
  expect(layerOf(path), "every file belongs to a layer").toBeGreaterThanOrEqual(0);
  expect(importsOf(path).filter((target) => layerOf(target) < layerOf(path))).toEqual([]);
});

test("no module re-exports", () => {
  const barrels = files.filter((path) =>
    /^export (\*|\{[^}]*\}) from/m.test(readFileSync(join(SOURCE, path), "utf8")),
  );
  expect(barrels).toEqual([]);
});
