import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  // One engine serves every test, so they take turns. A race must show itself: nothing is tried again.
  workers: 1,
  retries: 0,
  forbidOnly: true,
  timeout: 180_000,
  expect: { timeout: 60_000 },
  reporter: "list",
  outputDir: "../../target/e2e",
  use: {
    viewport: { width: 1200, height: 780 },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      // Debian's own; this project downloads no browser.
      executablePath: process.env.WHERRY_CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
    },
  },
});
