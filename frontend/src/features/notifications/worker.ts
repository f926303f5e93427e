import type { Notice } from "./notice";

/** What a page asks of `service-worker-notifications.js`. */
export type Request =
  | { kind: "notify"; notice: Notice }
  | { kind: "read"; tag: string; upTo: number }
  | { kind: "close" };

/** Without a worker, nothing happens. */
export function tellWorker(request: Request): void {
  void navigator.serviceWorker?.getRegistration().then((registration) => {
    registration?.active?.postMessage(request);
  });
}
