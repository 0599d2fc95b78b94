import { expect, test } from "vitest";
import type { ContainerHour, ContainerSummary, Sample } from "$lib/api";
import { consumers } from "./consumers";

const SAMPLE: Sample = { at: 1, cpu: 10, memory: 7, memoryLimit: 100, rx: 0, tx: 0, read: 0, write: 0, pids: 1 };

function hour(id: string, cpuMean: number, memoryMost: number, now: Sample | null = SAMPLE): ContainerHour {
  return { id, now, cpuMean, memoryMost, network: 1, disk: 2, recentCpu: [], recentMemory: [] };
}

function container(id: string, project: string | null = null): ContainerSummary {
  return { id, name: `name-${id}`, project } as ContainerSummary;
}

test("the largest comes first, and what is gone is left out", () => {
  const hours = [hour("a", 5, 50), hour("b", 9, 20), hour("gone", 99, 99)];
  const known = [container("a"), container("b")];
  const names = (by: "cpu" | "memory") => consumers(hours, new Map(), known, "containers", by).map((one) => one.name);
  expect(names("cpu")).toEqual(["name-b", "name-a"]);
  expect(names("memory")).toEqual(["name-a", "name-b"]);
});

test("what is live wins over what was kept, and one that stopped uses nothing now", () => {
  const live = new Map([["a", { ...SAMPLE, cpu: 42 }]]);
  const found = consumers([hour("a", 5, 5), hour("b", 1, 1, null)], live, [container("a"), container("b")], "containers", "cpu");
  expect(found.map((one) => [one.cpu, one.memory])).toEqual([
    [42, 7],
    [null, null],
  ]);
});

test("a project is the sum of its containers", () => {
  const hours = [hour("a", 5, 50), hour("b", 4, 20), hour("c", 99, 99)];
  const known = [container("a", "shop"), container("b", "shop"), container("c")];
  const found = consumers(hours, new Map(), known, "projects", "cpu");
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ name: "shop", id: null, cpu: 20, cpuMean: 9, memoryMost: 70, network: 2, disk: 4 });
});
