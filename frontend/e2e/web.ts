// The app's own static server as it is deployed: Caddy with the Caddyfile of this directory's parent.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where Caddy is, if it is installed. */
export function findCaddy(): string | undefined {
  if (process.env.CADDY_PATH) return process.env.CADDY_PATH;
  try {
    return execFileSync("which", ["caddy"], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

export class Web {
  private constructor(private readonly process: ChildProcess) {}

  /** Serves the built app on `port` and tells it that the API is at `apiUrl`. */
  static async start(caddy: string, port: number, apiUrl: string): Promise<Web> {
    const dir = mkdtempSync(join(tmpdir(), "gapless-web-"));
    const settings = { PORT: String(port), API_URL: apiUrl, SPA_ROOT: "dist" };
    const child = spawn(caddy, ["run", "--config", "Caddyfile", "--adapter", "caddyfile"], {
      env: { ...process.env, ...settings, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
      stdio: "ignore",
    });
    const web = new Web(child);
    const deadline = Date.now() + 30_000;
    while (!(await isUp(port))) {
      if (Date.now() > deadline) throw new Error("The static server did not start.");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return web;
  }

  stop(): void {
    this.process.kill("SIGTERM");
  }
}

async function isUp(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/livez`).then(
    async (response) => (await response.text()) === "alive",
    () => false,
  );
}
