import { beforeEach, expect, test, vi } from "vitest";
import { FakeLocks, type FakeTab } from "../testing/fake-locks";
import { campaign } from "./leadership";

let locks: FakeLocks;

beforeEach(() => {
  locks = new FakeLocks();
});

function runs(tab: FakeTab) {
  vi.stubGlobal("navigator", { locks: tab });
  const log: string[] = [];
  const candidate = campaign("lead", { onLead: () => log.push("leads"), onLost: () => log.push("lost") });
  vi.unstubAllGlobals();
  return { ...candidate, log, tab };
}

/** `campaign` asks for the lock again after a loss, by then through this tab's own locks. */
async function as(tab: FakeTab, act: () => void): Promise<void> {
  vi.stubGlobal("navigator", { locks: tab });
  act();
  await new Promise((resolve) => setTimeout(resolve));
  vi.unstubAllGlobals();
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test("one leads; the next follows when the first is gone, however it went", async () => {
  const [first, second, third] = [runs(locks.tab()), runs(locks.tab()), runs(locks.tab())];
  await settled();
  expect([first.log, second.log, third.log]).toEqual([["leads"], [], []]);
  first.resign();
  await settled();
  expect([second.log, third.log]).toEqual([["leads"], []]);
  locks.kill(second.tab);
  await settled();
  expect(third.log).toEqual(["leads"]);
});

test("a frozen leader can be deposed, learns of it, and stands again", async () => {
  const [frozen, awake] = [runs(locks.tab()), runs(locks.tab())];
  await settled();
  await as(awake.tab, () => awake.steal());
  expect(awake.log).toEqual(["leads"]);
  expect(frozen.log).toEqual(["leads", "lost"]);
});
