import { expect, test } from "vitest";
import { freedWords } from "./freed";

const MB = 1024 * 1024;

test("what came back is named, and what did not is not", () => {
  expect(freedWords({ memory: 512 * MB, disk: 1536 * MB })).toBe("512 MB of memory and 1.5 GB of disk came back");
  expect(freedWords({ memory: 0, disk: 20 * MB })).toBe("20 MB of disk came back");
  expect(freedWords({ memory: 1000, disk: 0 })).toBe("Nothing was held that is not needed");
});
