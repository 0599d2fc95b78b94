import { expect, test } from "vitest";

import type { BeforePull } from "$lib/api";
import { pullLines } from "./preflight";

const before: BeforePull = {
  reference: "python",
  registry: "docker.io",
  image: { fits: true, platform: "linux/amd64", platforms: ["linux/amd64"], layers: [], bytes: 52_000_000 } as unknown as BeforePull["image"],
  problem: null,
  isHere: false,
  olderIsHere: false,
  layersHere: 0,
  bytesHere: 0,
  diskFree: 20 * 2 ** 30,
  limit: null,
  user: null,
  platform: "linux/amd64",
  enginePlatform: "linux/amd64",
};

test("what an image costs that is not here is told before it runs", () => {
  expect(pullLines(before).map(({ verdict, sentence }) => `${verdict} ${sentence}`)).toEqual([
    "skip 52 MB to download",
    "pass Made for this engine",
    "pass About 135 MB on disk, 20 GB free",
  ]);
  const full = pullLines({ ...before, diskFree: 2 ** 20 });
  expect(full.at(-1)).toMatchObject({ verdict: "warn", sentence: expect.stringContaining("It does not fit.") as string });
});

test("a registry that knows no such image is told, and nothing else", () => {
  const problem = { code: "imageNotFound", message: "There is no image named pythn", hint: null, why: null, causes: [], action: null } as const;
  expect(pullLines({ ...before, image: null, problem: { ...problem, causes: [] } })).toMatchObject([
    { verdict: "warn", sentence: "There is no image named pythn." },
  ]);
});
