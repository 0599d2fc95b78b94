import { expect, test } from "vitest";
import type { Cost } from "$lib/api";
import { diskKinds } from "./disk";

const COST: Cost = {
  memory: 0,
  memoryTotal: 0,
  disk: 50,
  diskTotal: 100,
  cpuPercent: 0,
  cpus: 1,
  diskBy: { images: 30, containers: 5, volumes: 10, buildCache: 5 },
};

const parts = (cost: Cost) => diskKinds(cost).map((kind) => kind.part);

test("each kind is a part of the whole disk", () => {
  expect(parts(COST)).toEqual([0.3, 0.05, 0.1, 0.05]);
});

test("without a known whole the kinds fill the bar, and nothing is no division by zero", () => {
  expect(parts({ ...COST, diskTotal: null })).toEqual([0.6, 0.1, 0.2, 0.1]);
  const nothing = { images: 0, containers: 0, volumes: 0, buildCache: 0 };
  expect(parts({ ...COST, diskTotal: null, diskBy: nothing })).toEqual([0, 0, 0, 0]);
});
