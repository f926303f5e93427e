import { beforeEach, expect, test } from "vitest";
import { FakeLocks, type FakeTab } from "../testing/fake-locks";
import { campaign } from "./leadership";

let locks: FakeLocks;

beforeEach(() => {
  locks = new FakeLocks();
});

function candidate() {
  const tab = locks.tab();
  const log: string[] = [];
  const leader = { onLead: () => log.push("leads"), onLost: () => log.push("lost") };
  return { ...campaign(asManager(tab), "lead", leader), log, tab };
}

const asManager = (tab: FakeTab) => tab as unknown as LockManager;
const settled = () => new Promise((resolve) => setTimeout(resolve));

test("one leads; the next follows when the first is gone, however it went", async () => {
  const [first, second, third] = [candidate(), candidate(), candidate()];
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
  const [frozen, awake] = [candidate(), candidate()];
  await settled();
  awake.steal();
  await settled();
  expect(awake.log).toEqual(["leads"]);
  expect(frozen.log).toEqual(["leads", "lost"]);
  awake.resign();
  await settled();
  expect(frozen.log).toEqual(["leads", "lost", "leads"]);
});
