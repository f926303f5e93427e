// A separate server for one test, which can be killed and restarted.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

export class Server {
  #process: ChildProcess | null = null;

  private constructor(
    readonly port: number,
    private readonly dataDir: string,
    private readonly settings: Record<string, string>,
  ) {}

  get url(): string {
    return `http://localhost:${this.port}`;
  }

  static async start(name: string, settings: Record<string, string> = {}): Promise<Server> {
    const dataDir = join(process.env.GAPLESS_E2E_DATA ?? ".", name);
    mkdirSync(dataDir, { recursive: true, mode: 0o755 });
    const server = new Server(await freePort(), dataDir, settings);
    await server.startAgain();
    return server;
  }

  /** Restarts on the same port and data, as after a crash. */
  async startAgain(): Promise<void> {
    this.#spawn();
    const deadline = Date.now() + 120_000;
    while (!(await this.#isReady())) {
      if (Date.now() > deadline) throw new Error("The server did not become ready.");
      await new Promise((resolve) => setTimeout(resolve, 100));
      // A server whose database takes too long at start exits, and is restarted by a supervisor.
      if (this.#process && hasExited(this.#process)) this.#spawn();
    }
  }

  #spawn(): void {
    const settings = {
      PORT: String(this.port),
      SPA_DIR: "dist",
      DEMO_MODE: "true",
      DATA_DIR: this.dataDir,
      RATE_LIMITS: "off",
      ...this.settings,
    };
    this.#process = spawn(process.env.GAPLESS_BIN ?? "", {
      env: { ...process.env, ...settings },
      stdio: "ignore",
    });
  }

  /** Kills the server without warning, like a power cut: nothing is flushed. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const process = this.#process;
    if (!process || hasExited(process)) return;
    const exited = new Promise((resolve) => process.once("exit", resolve));
    process.kill(signal);
    await exited;
  }

  async #isReady(): Promise<boolean> {
    return fetch(`${this.url}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
  }
}

const hasExited = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;

/** Below the range of ephemeral ports, from which the system might take one meanwhile. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer()
        .once("error", () => resolve(false))
        .once("listening", () => probe.close(() => resolve(true)))
        .listen(port);
    });
    if (isFree) return port;
  }
}
