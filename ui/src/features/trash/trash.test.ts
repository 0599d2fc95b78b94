import { expect, test } from "vitest";
import type { TrashItem } from "$lib/api";
import { about, afterwards, counts, deleted, deleting, emptied, left, named, restoring, sizeOf, visible } from "./trash";

const DAY = 24 * 60 * 60 * 1000;

function item(type: TrashItem["id"]["type"], name: string, bytes: number | null = 0, at = 0): TrashItem {
  const image = type === "container" ? "busybox" : null;
  const comesBackAs = null;
  const commands = { keptAs: `kept-${name}`, restoring: `docker rename kept-${name} ${name}`, deleting: `docker rm kept-${name}` };
  return { id: { type, id: name }, name, at, image, bytes, comesBackAs, ...commands };
}

const ALL = [item("container", "web", 10), item("image", "nginx:1.27", 5), item("volume", "data", 1000)];

test("it is found by kind, by name and by image", () => {
  const names = (kind: Parameters<typeof visible>[1], search: string) => visible(ALL, kind, search).map(({ name }) => name);
  expect(names("all", "")).toEqual(["web", "nginx:1.27", "data"]);
  expect(names("volume", "")).toEqual(["data"]);
  expect(names("all", "BUSY web")).toEqual(["web"]);
  expect(counts(ALL)).toEqual({ all: 3, container: 1, image: 1, volume: 1 });
});

test("what is not measured has no size", () => {
  expect(sizeOf(ALL)).toBe(1015);
  expect(sizeOf([...ALL, item("image", "x", null)])).toBeNull();
  expect(emptied(ALL)).toBe("Empty, frees 1 kB");
  expect(emptied([item("image", "x", null)])).toBe("Empty the trash");
});

test("the days that are left are counted up", () => {
  expect(left(ALL[0] as TrashItem, 0, 7)).toEqual({ part: 1, words: "in 7 days", soon: false });
  expect(left(ALL[0] as TrashItem, 5.5 * DAY, 7).words).toBe("in 2 days");
  expect(left(ALL[0] as TrashItem, 6.5 * DAY, 7)).toMatchObject({ words: "within a day", soon: true });
  expect(left(ALL[0] as TrashItem, 9 * DAY, 7)).toEqual({ part: 0, words: "soon", soon: true });
  expect(left(ALL[0] as TrashItem, DAY, 30).words).toBe("in 29 days");
  expect(deleted(ALL[0] as TrashItem, 120_000)).toBe("2 minutes ago");
});

test("several have one line, in which what uses goes before what is used", () => {
  const some = [item("volume", "data"), item("container", "web")];
  expect(restoring(some)).toBe("docker rename kept-data data && docker rename kept-web web");
  expect(deleting(some)).toBe("docker rm kept-web && docker rm kept-data");
});

test("several are counted by what they are", () => {
  expect(named(ALL.slice(0, 1))).toBe("web");
  expect(named([item("volume", "a"), item("volume", "b")])).toBe("2 volumes");
  expect(named(ALL)).toBe("3 things");
});

test("an image whose name cannot be given back says what it will be called", () => {
  const of = (name: string, comesBackAs: string | null) => about({ ...item("image", name), bytes: 5, comesBackAs });
  expect(of("nginx:1.27", null)).toBe("Image");
  expect(of("x@sha256:00", "x:restored-00")).toBe("Image, comes back with its digest, as x:restored-00");
  expect(of("4f1c09ab", "restored:4f1c09ab")).toBe("Image without a name, comes back as restored:4f1c09ab");
});

test("what came back otherwise than it went is said", () => {
  const restored = { id: { type: "image" as const, id: "x" }, name: "x:1", notStarted: null, lostDigest: null };
  expect(afterwards(restored)).toBeNull();
  expect(afterwards({ ...restored, notStarted: "8080 is taken" })?.text).toBe("x:1 is back, and could not be started");
  expect(afterwards({ ...restored, lostDigest: "x@sha256:00" })).toEqual({
    text: "x:1 is back without its digest",
    detail: "The engine has forgotten the digest meanwhile. docker pull x@sha256:00 brings it.",
  });
});
