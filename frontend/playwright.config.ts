import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "@playwright/test";
import { findChromium } from "./e2e/chromium";

// A deployment that runs already, told by `cargo xtask rehearse`: then no server is started here.
const deployed = Boolean(process.env.GAPLESS_API_URL);

const port = Number(process.env.GAPLESS_E2E_PORT ?? 18080);
// The workers read this file again: what the first reading chose must be theirs too.
process.env.GAPLESS_E2E_PORT = String(port);
process.env.GAPLESS_BIN ??= "../target/debug/gapless";
if (!process.env.GAPLESS_E2E_DATA) {
  process.env.GAPLESS_E2E_DATA = mkdtempSync(join(tmpdir(), "gapless-e2e-"));
  // A server started by root runs its database as another user, who has to get in.
  chmodSync(process.env.GAPLESS_E2E_DATA, 0o755);
}

export default defineConfig({
  testDir: "e2e",
  outputDir: "e2e/results",
  timeout: 120_000,
  expect: { timeout: 10_000 },
  workers: 2,
  // On a machine shared with others a browser may starve for seconds; a second failure is ours. Both are printed.
  retries: process.env.CI ? 1 : 0,
  forbidOnly: Boolean(process.env.CI),
  reporter: [["list"]],
  projects: [
    { name: "paths", testIgnore: ["screens.spec.ts", "deployed.spec.ts", "other-browsers/**"] },
    { name: "other-browsers", testMatch: "other-browsers/*.spec.ts" },
    { name: "screens", testMatch: "screens.spec.ts" },
    { name: "deployed", testMatch: "deployed.spec.ts" },
  ],
  use: {
    baseURL: `http://localhost:${port}`,
    launchOptions: { executablePath: findChromium() },
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    // Traces would double the time of every test; `--trace on` brings them back for one that is looked into.
    screenshot: "only-on-failure",
  },
  webServer: deployed
    ? undefined
    : {
        command: process.env.GAPLESS_BIN,
        url: `http://localhost:${port}/readyz`,
        timeout: 120_000,
        stdout: "ignore",
        stderr: "ignore",
        gracefulShutdown: { signal: "SIGTERM", timeout: 15_000 },
        env: {
          PORT: String(port),
          SPA_DIR: "dist",
          DEMO_MODE: "true",
          DATA_DIR: join(process.env.GAPLESS_E2E_DATA, "shared"),
          RATE_LIMITS: "off",
        },
      },
});
