// A window of a browser that Playwright does not drive as it is installed. What both drivers can do, and no more.

import { execFileSync } from "node:child_process";

export interface Window {
  goTo(url: string): Promise<void>;
  /** As its button does; answers when the page is there again. */
  reload(): Promise<void>;
  /** The value of a JavaScript expression in the page. */
  value<T>(expression: string): Promise<T>;
  type(selector: string, text: string): Promise<void>;
  pressEnter(selector: string): Promise<void>;
  close(): Promise<void>;
}

export interface OtherBrowser {
  /** Another tab; all tabs share what the browser stores. */
  openTab(): Promise<Window>;
  quit(): Promise<void>;
}

/** The program that an environment variable names, or the first of `names` on the path. */
export function findProgram(variable: string, ...names: string[]): string | undefined {
  const named = process.env[variable];
  if (named) return named;
  for (const name of names) {
    try {
      return execFileSync("which", [name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
      // Not this one.
    }
  }
  return undefined;
}
