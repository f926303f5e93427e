import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "@playwright/test";
import { findChromium } from "./e2e/chromium";

// Set by `cargo xtask rehearse` for a running deployment; then no server is started here.
const deployed = Boolean(process.env.GAPLESS_API_URL);

const port = Number(process.env.GAPLESS_E2E_PORT ?? 18080);
// Workers load this file again and must use the same port.
process.env.GAPLESS_E2E_PORT = String(port);
process.env.GAPLESS_BIN ??= "../target/debug/gapless";
if (!process.env.GAPLESS_E2E_DATA) {
  process.env.GAPLESS_E2E_DATA = mkdtempSync(join(tmpdir(), "gapless-e2e-"));
  // A server started by root runs its database as another user, who needs access.
  chmodSync(process.env.GAPLESS_E2E_DATA, 0o755);
}

export default defineConfig({
  testDir: "e2e",
  outputDir: "e2e/results",
  // On a shared machine a browser may get no CPU for seconds, and long timeouts cost nothing where tests pass.
  timeout: 300_000,
  expect: { timeout: 30_000 },
  workers: 2,
  // Every failure is printed, also that of a test which passes when it is retried.
  retries: process.env.CI ? 2 : 0,
  forbidOnly: Boolean(process.env.CI),
  reporter: [["list"]],
  projects: [
    { name: "paths", testIgnore: ["screens.spec.ts", "deployed.spec.ts", "other-browsers/**", "budgets/**"] },
    { name: "other-browsers", testMatch: "other-browsers/*.spec.ts" },
    { name: "budgets", testMatch: "budgets/*.spec.ts", workers: 1 },
    { name: "screens", testMatch: "screens.spec.ts" },
    { name: "deployed", testMatch: "deployed.spec.ts" },
  ],
  use: {
    baseURL: `http://localhost:${port}`,
    launchOptions: { executablePath: findChromium() },
    // A service worker would deliver files that a test withholds; `offline.spec.ts` allows it.
    serviceWorkers: "block",
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    // Traces would double the time of every test; enable them for one test with `--trace on`.
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
