import { expect, test } from "vitest";
import type { Happened, Happening } from "$lib/api";
import { kills, story, withMemory, withNames } from "./story";

function happening(at: number, name: string, what: Happened): Happening {
  return { at, name, what, id: `id-${name}`, project: null };
}

const said = (happenings: Happening[], most = 20) =>
  story(happenings, () => true, most).map(({ before, name, words }) => `${before} ${name} ${words}`.trim());

test("each thing is a sentence about its name", () => {
  expect(
    said([
      happening(90_000, "trainer", { type: "outOfMemory" }),
      happening(80_000, "db", { type: "healthy" }),
      happening(70_000, "job", { type: "ended", exitCode: 3 }),
      happening(60_000, "nginx:1.27", { type: "imagePulled" }),
      happening(50_000, "new", { type: "renamed", before: "old" }),
      happening(40_000, "web", { type: "ended", exitCode: 143 }),
      happening(30_000, "x", { type: "imageTagged" }),
    ]),
  ).toEqual([
    "trainer ran out of memory",
    "db became healthy",
    "job stopped with exit code 3",
    "Pulled nginx:1.27",
    "new is the new name of old",
    "web was stopped",
  ]);
});

test("one that is removed when it ends is one line", () => {
  const job = [
    happening(2_100, "job", { type: "removed" }),
    happening(2_000, "job", { type: "ended", exitCode: 0 }),
    happening(1_000, "job", { type: "started" }),
  ];
  expect(said(job)).toEqual(["job was removed", "job started"]);
  const failed = [
    happening(2_100, "job", { type: "removed" }),
    happening(2_000, "job", { type: "ended", exitCode: 1 }),
  ];
  expect(said(failed)).toEqual(["job was removed", "job stopped with exit code 1"]);
});

test("a crash loop is two lines", () => {
  const loop = Array.from({ length: 40 }, (_, index) =>
    happening(
      100_000 - index * 500,
      "worker",
      index % 2 === 0 ? { type: "ended", exitCode: 1 } : { type: "started" },
    ),
  );
  expect(said(loop)).toEqual(["worker stopped with exit code 1, 20 times", "worker started, 20 times"]);
});

test("no more lines than asked for, and a page only for what is here", () => {
  const many = Array.from({ length: 9 }, (_, index) => happening(9 - index, `c${index}`, { type: "started" }));
  expect(said(many, 4)).toHaveLength(4);
  const [line] = story([happening(1, "web", { type: "started" })], () => false, 4);
  expect(line?.container).toBeNull();
});

test("a kill that is known to be about memory is told as that, and only the last one", () => {
  const all = [
    happening(90_000, "web", { type: "ended", exitCode: 137 }),
    happening(80_000, "job", { type: "ended", exitCode: 0 }),
    happening(70_000, "job", { type: "ended", exitCode: 137 }),
    happening(60_000, "trainer", { type: "ended", exitCode: 137 }),
    happening(10_000, "trainer", { type: "ended", exitCode: 137 }),
  ];
  const killed = kills(all);
  expect(killed.map(({ name, at }) => [name, at])).toEqual([
    ["web", 90_000],
    ["trainer", 60_000],
  ]);
  expect(said(withMemory(all, killed.slice(1)))).toEqual([
    "web was stopped",
    "job finished",
    "job was stopped",
    "trainer ran out of memory",
    "trainer was stopped",
  ]);
});

test("an image that came out of a file is told by its name", () => {
  const loaded = happening(90_000, "01d873e3f6a4", { type: "imageLoaded" });
  const called = (id: string) => (id === loaded.id ? "busybox:latest" : undefined);
  expect(said(withNames([loaded, happening(80_000, "web", { type: "started" })], called))).toEqual(["Loaded busybox:latest", "web started"]);
  expect(said(withNames([loaded], () => undefined))).toEqual(["Loaded 01d873e3f6a4"]);
});
