import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Small modules that every page needs: in one file they compress better than in a dozen. */
const CORE =
  /\/src\/(browser|realtime|api\/(address|client|problem|until-answered)|features\/(connection|unread|composer\/(client-id|current-outbox|drafts|outbox)|session\/(session|use-session))|ui\/(Button|Dialog|Notice|keys|media|dates|Avatar|face)\b)/;

export default defineConfig({
  plugins: [react(), tailwindcss()],
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
