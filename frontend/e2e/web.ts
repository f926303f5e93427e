// The app's own static server as it is deployed: Caddy with the Caddyfile of this directory's parent.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";

/** Returns the path of Caddy, if it is installed. */
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
    const deadline = Date.now() + 60_000;
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

/** A proxy with TLS and compression in front of a server: the Caddyfile in docs/DEPLOY.md, for another host. */
export class TlsProxy {
  private constructor(
    readonly port: number,
    private readonly process: ChildProcess,
  ) {}

  static async start(caddy: string, to: { host: string; port: number; upstream: number }): Promise<TlsProxy> {
    const dir = mkdtempSync(join(tmpdir(), "gapless-proxy-"));
    const file = join(dir, "Caddyfile");
    const shown = /```caddyfile\n(chat\.example\.org \{\n[^`]*)```/.exec(
      readFileSync("../docs/DEPLOY.md", "utf8"),
    )?.[1];
    if (shown === undefined) throw new Error("docs/DEPLOY.md contains no Caddyfile for chat.example.org.");
    const here = shown
      .replace("chat.example.org {", `${to.host}:${to.port} {\n\tencode zstd gzip`)
      .replace("127.0.0.1:8080", `127.0.0.1:${to.upstream}`);
    // It has its own certificate authority, which is not installed on this machine.
    writeFileSync(file, `{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n${here}`);
    const child = spawn(caddy, ["run", "--config", file, "--adapter", "caddyfile"], {
      env: { ...process.env, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
      stdio: "ignore",
    });
    const deadline = Date.now() + 60_000;
    while (!(await speaksTls(to.host, to.port))) {
      if (Date.now() > deadline) throw new Error("The proxy did not start.");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return new TlsProxy(to.port, child);
  }

  stop(): void {
    this.process.kill("SIGTERM");
  }
}

/** Returns whether the certificate is available: creating the first one takes a moment. */
function speaksTls(servername: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, servername, rejectUnauthorized: false });
    socket.once("secureConnect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("secureConnect", () => socket.destroy());
  });
}
