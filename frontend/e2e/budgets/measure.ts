// Measures that pages and the browser give.

import type { CDPSession, Page } from "@playwright/test";

/** Slow phone: a mid-range one on a mobile network. */
export async function throttle(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 150,
    downloadThroughput: (1.6e6 / 8) | 0,
    uploadThroughput: (0.75e6 / 8) | 0,
  });
}

/** Heap in MB after a garbage collection. */
export async function heap(session: CDPSession): Promise<number> {
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  return usedSize / 1e6;
}

declare global {
  interface Window {
    measured: { firstMessage: number; shift: number; longTasks: number[]; waits: number[] };
  }
}

/** Runs in the page before the app: records what happens to it from its first moment. */
export function record(): void {
  const measured = { firstMessage: 0, shift: 0, longTasks: [] as number[], waits: [] as number[] };
  window.measured = measured;
  const observer = new MutationObserver(() => {
    if (!document.querySelector("article")) return;
    observer.disconnect();
    requestAnimationFrame(() =>
      setTimeout(() => Object.assign(measured, { firstMessage: performance.now() })),
    );
  });
  observer.observe(document, { childList: true, subtree: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & {
      value: number;
      hadRecentInput: boolean;
    })[]) {
      if (!entry.hadRecentInput) measured.shift += entry.value;
    }
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => {
    measured.longTasks.push(...list.getEntries().map((entry) => entry.duration));
  }).observe({ type: "longtask", buffered: true });
  // From a key until the frame that shows it.
  addEventListener(
    "keydown",
    (event) => {
      const { timeStamp } = event;
      requestAnimationFrame(() => setTimeout(() => measured.waits.push(performance.now() - timeStamp)));
    },
    true,
  );
}

export const quantile = (values: number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;
