import { Component, type ReactNode } from "react";
import { Button } from "../ui/Button";
import { Logo } from "../ui/Logo";

/** The last net: a screen that broke says so, and offers a way on. Drafts and unsent messages are kept elsewhere. */
export class Failure extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <main className="grid min-h-dvh place-items-center p-6 text-center">
        <div className="flex max-w-sm flex-col items-center gap-4">
          <Logo className="size-12" />
          <h1 className="text-2xl font-bold">This page broke</h1>
          <p className="text-muted">That is our mistake. What you typed is kept.</p>
          <Button onClick={() => window.location.reload()}>Load it again</Button>
        </div>
      </main>
    );
  }
}
