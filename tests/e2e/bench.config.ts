// Figures of the page for `cargo xtask bench`: the tests' browser, with nothing that records.

import config from "./playwright.config";

export default {
  ...config,
  testMatch: /.*\.bench\.ts/,
  timeout: 1_800_000,
  outputDir: "../../target/e2e-bench",
  use: { ...config.use, trace: "off" as const, screenshot: "off" as const },
};
