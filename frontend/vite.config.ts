import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Small modules that every page needs: in one file they compress better than in a dozen. */
const CORE =
  /\/src\/(browser|realtime|api\/(address|client|problem|until-answered)|features\/(connection|unread|composer\/(client-id|current-outbox|drafts|outbox)|session\/(session|use-session))|ui\/(Button|Dialog|Notice|keys|media|dates|Avatar|face)\b)/;

/** Adds the service worker, which knows the files of its release. */
const serviceWorker: Plugin = {
  name: "service-worker",
  apply: "build",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      const entry =
        Object.values(bundle).find((file) => file.type === "chunk" && file.isEntry)?.fileName ?? "";
      const others = Object.keys(bundle).filter((name) => name.startsWith("assets/") && name !== entry);
      const files = [entry, ...others.sort()].map((name) => `/${name}`);
      const worker = ["service-worker.js", "service-worker-notifications.js"]
        .map((path) => readFileSync(path, "utf8"))
        .join("\n");
      // Files without a digest in their names make another release, too.
      const unhashed = ["index.html", "public/theme.js", "public/favicon.svg", "public/manifest.webmanifest"];
      const release = createHash("sha256").update(files.join() + worker);
      for (const path of unhashed) release.update(readFileSync(path));
      const source = worker
        .replace("__RELEASE__", release.digest("hex").slice(0, 12))
        .replace("__FILES__", JSON.stringify(files).replaceAll('"', '\\"'));
      this.emitFile({ type: "asset", fileName: "sw.js", source });
    },
  },
};

export default defineConfig({
  plugins: [react(), tailwindcss(), serviceWorker],
  build: {
    target: ["chrome123", "firefox121", "safari17.5"],
    // The content security policy has no `data:` for scripts or fonts: every asset is a file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: { groups: [{ name: "core", test: CORE }] },
      },
    },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/testing/setup.ts"],
    restoreMocks: true,
    // A busy machine may give a test no CPU for seconds.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
