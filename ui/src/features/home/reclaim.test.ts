import { expect, test } from "vitest";
import type { Reclaimable, ReclaimItem } from "$lib/api";
import { atFirst, commandOf, isNothing, ofKind, requestOf, sizeOf, totalOf } from "./reclaim";

function item(id: string, size: number, remove: string[] = [id]): ReclaimItem {
  return { id, name: id, size, status: null, lastUse: null, at: null, remove, trashed: null };
}

const FOUND: Reclaimable = {
  images: [item("old", 100, ["old:1", "old:2"]), item("other", 50)],
  buildCache: [item("step", 30, []), item("step2", 20, [])],
  containers: [item("done", 5)],
  volumes: [item("spare", 400)],
  trash: [],
};

test("what cannot be had again is never ticked by itself", () => {
  const ticked = atFirst(FOUND);
  expect([ticked.volumes.size, ticked.containers.size]).toEqual([0, 0]);
  expect(totalOf(FOUND, ticked)).toBe(200);
  expect(sizeOf(FOUND, "images", new Set(["other"]))).toBe(50);
});

test("one kind alone is ticked when it was asked for, and volumes never are", () => {
  const only = ofKind(FOUND, "containers");
  expect(totalOf(only, atFirst(only, "containers"))).toBe(5);
  expect(isNothing(requestOf(only, atFirst(only)))).toBe(true);
  expect(atFirst(ofKind(FOUND, "volumes"), "volumes").volumes.size).toBe(0);
});

test("exactly what is ticked is asked for, and the command says the same", () => {
  const ticked = { ...atFirst(FOUND), volumes: new Set(["spare"]) };
  expect(totalOf(FOUND, ticked), "a volume waits in the trash first").toBe(200);
  const request = requestOf(FOUND, ticked);
  expect(request).toEqual({ containers: [], images: ["old:1", "old:2", "other"], volumes: ["spare"], buildCache: true, trash: [], keep: false });
  expect(commandOf(request).text).toBe(
    "docker rmi old:1 old:2 other && docker volume rm spare && docker builder prune --all --force",
  );
});

test("what is in the trash goes first, and what is kept brings nothing back yet", () => {
  const trash = [{ ...item("t", 7), trashed: { type: "image", id: "wherry-trash/n/old:1-2" } as const }];
  const found = { ...FOUND, trash };
  const ticked = { ...atFirst(found), images: new Set<string>(), buildCache: new Set<string>() };
  const volume = { ...item("v", 9), trashed: { type: "volume", id: "v" } as const };
  expect(atFirst({ ...FOUND, trash: [...trash, volume] }).trash).toEqual(new Set(["t"]));
  expect(totalOf(found, ticked)).toBe(7);
  expect(requestOf(found, ticked).trash).toEqual([{ type: "image", id: "wherry-trash/n/old:1-2" }]);
  expect(commandOf(requestOf(found, ticked)).text).toBe("docker rmi wherry-trash/n/old:1-2");
  expect(totalOf(found, atFirst(found), true)).toBe(57);
  expect(requestOf(found, ticked, true).keep).toBe(true);
});

test("nothing ticked is nothing to do", () => {
  const none = { images: new Set<string>(), buildCache: new Set<string>(), containers: new Set<string>(), volumes: new Set<string>(), trash: new Set<string>() };
  const request = requestOf(FOUND, none);
  expect(isNothing(request)).toBe(true);
  expect(commandOf(request).text).toBe("");
});
