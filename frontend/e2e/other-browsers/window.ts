// A window of an installed browser that Playwright does not drive; limited to the features of both drivers.

import { execFileSync } from "node:child_process";

export interface Window {
  goTo(url: string): Promise<void>;
  /** Reloads as the browser's button does; resolves when the page has loaded. */
  reload(): Promise<void>;
  /** Evaluates a JavaScript expression in the page. */
  value<T>(expression: string): Promise<T>;
  type(selector: string, text: string): Promise<void>;
  pressEnter(selector: string): Promise<void>;
  close(): Promise<void>;
}

export interface OtherBrowser {
  /** Opens another tab; all tabs share the browser's storage. */
  openTab(): Promise<Window>;
  quit(): Promise<void>;
}

/** Returns the program named by an environment variable, or the first of `names` on the path. */
export function findProgram(variable: string, ...names: string[]): string | undefined {
  const named = process.env[variable];
  if (named) return named;
  for (const name of names) {
    try {
      return execFileSync("which", [name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
      // Not executable; try the next one.
    }
  }
  return undefined;
}
