import { Component, type ReactNode } from "react";
import { Button } from "../ui/Button";
import { Logo } from "../ui/Logo";

/** Limit of rebuilds, for a page that is modified from outside as fast as it is rebuilt. */
const REBUILDS_A_MINUTE = 3;

/**
 * The top-level error boundary: reports that a screen crashed and offers a way out. Drafts and unsent messages are
 * stored elsewhere. If a translator or an extension removed elements from the page, the page is rebuilt.
 */
export class Failure extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };
  #rebuiltAt: number[] = [];

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override componentDidCatch(error: unknown) {
    const isForeign = error instanceof DOMException && error.name === "NotFoundError";
    this.#rebuiltAt = this.#rebuiltAt.filter((at) => at > Date.now() - 60_000);
    if (!isForeign || this.#rebuiltAt.length === REBUILDS_A_MINUTE) return;
    this.#rebuiltAt.push(Date.now());
    this.setState({ hasFailed: false });
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <main className="grid min-h-dvh place-items-center p-6 text-center">
        <div className="flex max-w-sm flex-col items-center gap-4">
          <Logo className="size-12" />
          <h1 className="text-2xl font-bold">Something went wrong</h1>
          <p className="text-muted">This page crashed. What you typed is saved.</p>
          <Button onClick={() => window.location.reload()}>Reload</Button>
        </div>
      </main>
    );
  }
}
