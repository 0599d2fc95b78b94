import { describe, expect, it } from "vitest";
import type { BackupManifest, Task, Work } from "$lib/api";
import { doneWords, holds, isDataWork, sizeOf } from "./dataWork";

const EMPTY: BackupManifest = {
  format: 1,
  wherry: "0.1.0",
  madeMillis: 0,
  architecture: "x86_64",
  engine: "Docker 28",
  contentBytes: 0,
  settings: true,
  networks: [],
  images: [],
  volumes: [],
  containers: [],
  notes: [],
  members: [],
};

const container = { name: "web", image: "nginx", running: true, member: "containers/web.json" };
const network = { name: "back", member: "networks/back.json" };

function task(work: Work): Task {
  return { id: "1", work, startedMillis: 0, progress: null, step: null, notes: [], outcome: { type: "working" } };
}

describe("what a backup holds", () => {
  it("is counted in words", () => {
    expect(holds(EMPTY)).toBe("nothing but settings");
    expect(holds({ ...EMPTY, containers: [container] })).toBe("1 container");
    expect(holds({ ...EMPTY, networks: [network], containers: [container, container] })).toBe(
      "1 network and 2 containers",
    );
  });

  it("has the size of its members", () => {
    const member = { name: "a", size: 1_500_000, sha256: "" };
    expect(sizeOf({ ...EMPTY, members: [member, member] })).toBe("3 MB");
  });
});

describe("work on data", () => {
  it("is told from pulls and runs", () => {
    expect(isDataWork(task({ type: "pull", reference: "nginx" }))).toBe(false);
    expect(isDataWork(task({ type: "restore", file: "/b.tar" }))).toBe(true);
  });

  it("says where it went", () => {
    expect(doneWords(task({ type: "backup", file: "/b.tar" }))).toBe("Saved to /b.tar");
  });
});
