import { expect, test } from "vitest";

import type { RunMount } from "$lib/api";
import { dataOf, writtenWords } from "./again";
import { emptySpec } from "./spec";

const volume = (name: string | null, target: string): RunMount => ({
  source: { type: "volume", name },
  target,
  readOnly: false,
  options: [],
});

test("what is mounted again stays, and what is not is left where it is", () => {
  const folder: RunMount = { source: { type: "folder", path: "/srv", mustExist: false }, target: "/app", readOnly: false, options: [] };
  const memory: RunMount = { source: { type: "memory" }, target: "/run", readOnly: false, options: [] };
  const before = { ...emptySpec("db"), mounts: [volume("pgdata", "/data"), volume("a1".repeat(32), "/cache"), folder, memory] };
  const after = { ...emptySpec("db"), mounts: [volume("pgdata", "/elsewhere"), folder] };
  expect(dataOf(before, after)).toEqual({
    stays: ["Volume pgdata at /data", "/srv of this computer at /app"],
    left: ["Volume a1a1a1a1a1a1 at /cache"],
    memory: ["/run"],
  });
});

test("what was written is counted", () => {
  expect(writtenWords({ written: [], writtenCount: 0 })).toBe("It has written nothing inside itself.");
  expect(writtenWords({ written: ["/app/x"], writtenCount: 1 })).toBe("/app/x was written inside it and goes.");
  expect(writtenWords({ written: ["/app/x", "/app/y"], writtenCount: 2 })).toBe("2 files that were written inside it go, like /app/x.");
});
