import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeLocks, type FakeTab } from "../testing/fake-locks";
import { campaign } from "./leadership";

let locks: FakeLocks;

beforeEach(() => {
  locks = new FakeLocks();
});

afterEach(() => {
  vi.useRealTimers();
});

function candidate() {
  const tab = locks.tab();
  const log: string[] = [];
  const leader = { onLead: () => log.push("leads"), onLost: () => log.push("lost") };
  return { ...campaign(asManager(tab), "lead", leader), log, tab };
}

const asManager = (tab: FakeTab) => tab as unknown as LockManager;
const settled = () => new Promise((resolve) => setTimeout(resolve));

test("one tab leads; the next takes over when it is gone, in whatever way", async () => {
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

test("a frozen leader can be replaced, is told, and becomes a candidate again", async () => {
  const [frozen, awake] = [candidate(), candidate()];
  await settled();
  awake.steal();
  await settled();
  expect(awake.log).toEqual(["leads"]);
  expect(frozen.log).toEqual(["leads", "lost"]);
  awake.resign();
  await vi.waitFor(() => expect(frozen.log).toEqual(["leads", "lost", "leads"]), { timeout: 15_000 });
});

test("a page whose lock is taken away does not request it again in the same task", async () => {
  vi.useFakeTimers();
  // Simulates WebKit with a page that is being unloaded: a page that requests the lock again at once never unloads.
  const asked: number[] = [];
  const request = (_: string, __: LockOptions, hold: () => Promise<void>) => {
    asked.push(Date.now());
    return new Promise<void>((_resolve, reject) => {
      void hold();
      setTimeout(() => reject(new DOMException("page goes", "AbortError")));
    });
  };
  const log: string[] = [];
  const leader = { onLead: () => log.push("leads"), onLost: () => log.push("lost") };
  const { resign } = campaign({ request } as unknown as LockManager, "lead", leader);
  await vi.advanceTimersByTimeAsync(0);
  expect(log).toContain("lost");
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(100);
  expect(asked).toHaveLength(2);
  resign();
});
