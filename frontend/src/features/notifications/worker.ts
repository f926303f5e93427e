import type { Notice } from "./notice";

/** Requests of a page to `service-worker-notifications.js`. */
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
