import { expect, test } from "vitest";
import type { Reclaimable, ReclaimItem } from "$lib/api";
import { atFirst, commandOf, isNothing, requestOf, sizeOf, totalOf } from "./reclaim";

function item(id: string, size: number, remove: string[] = [id]): ReclaimItem {
  return { id, name: id, size, status: null, at: null, remove };
}

const FOUND: Reclaimable = {
  images: [item("old", 100, ["old:1", "old:2"]), item("other", 50)],
  buildCache: [item("step", 30, []), item("step2", 20, [])],
  containers: [item("done", 5)],
  volumes: [item("spare", 400)],
};

test("what cannot be had again is never ticked by itself", () => {
  const ticked = atFirst(FOUND);
  expect([ticked.volumes.size, ticked.containers.size]).toEqual([0, 0]);
  expect(totalOf(FOUND, ticked)).toBe(200);
  expect(sizeOf(FOUND, "images", new Set(["other"]))).toBe(50);
});

test("exactly what is ticked is asked for, and the command says the same", () => {
  const ticked = { ...atFirst(FOUND), volumes: new Set(["spare"]) };
  const request = requestOf(FOUND, ticked);
  expect(request).toEqual({ containers: [], images: ["old:1", "old:2", "other"], volumes: ["spare"], buildCache: true });
  expect(commandOf(request).text).toBe(
    "docker rmi old:1 old:2 other && docker volume rm spare && docker builder prune --all --force",
  );
});

test("nothing ticked is nothing to do", () => {
  const none = { images: new Set<string>(), buildCache: new Set<string>(), containers: new Set<string>(), volumes: new Set<string>() };
  const request = requestOf(FOUND, none);
  expect(isNothing(request)).toBe(true);
  expect(commandOf(request).text).toBe("");
});
