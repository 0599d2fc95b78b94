import { expect, test } from "vitest";
import type { BeforePull, RemoteImage } from "$lib/api";
import { askable, byVersion, checks, download, isSamePlatform, platformWord, savedWords, searchable, unfinished } from "./preflight";

const image: RemoteImage = {
  digest: "sha256:ab",
  platforms: ["linux/amd64"],
  platform: "linux/amd64",
  fits: true,
  layers: [
    { digest: "a", bytes: 40_000_000, diffId: "x" },
    { digest: "b", bytes: 60_000_000, diffId: "y" },
  ],
  bytes: 100_000_000,
  created: 0,
};

const preflight: BeforePull = {
  reference: "python:3.13",
  registry: "docker.io",
  image,
  problem: null,
  isHere: false,
  olderIsHere: false,
  layersHere: 1,
  bytesHere: 40_000_000,
  diskFree: 10 ** 10,
  limit: null,
  user: null,
  platform: "linux/amd64",
  enginePlatform: "linux/amd64",
};

test("what is here is not downloaded", () => {
  expect(download(preflight)).toBe(60_000_000);
  expect(savedWords(preflight)).toBe("1 of 2 layers already here, 40 MB saved");
  expect(download({ ...preflight, isHere: true })).toBe(0);
  expect(savedWords({ ...preflight, isHere: true })).toBeNull();
});

test("what does not fit is said", () => {
  const kinds = (change: Partial<BeforePull>) => checks({ ...preflight, ...change }).map(({ kind, title }) => [kind, title]);
  expect(kinds({})).toContainEqual(["ok", "Made for this engine"]);
  expect(kinds({ image: { ...image, fits: false, platforms: ["linux/arm64"] } })).toContainEqual(["bad", "Not made for linux/amd64"]);
  const arm = { image: { ...image, platform: "linux/arm64/v8" }, platform: "linux/arm64" };
  expect(kinds(arm)).toContainEqual(["warn", "Made for linux/arm64/v8"]);
  expect(kinds({ ...arm, enginePlatform: "linux/arm64" })).toContainEqual(["ok", "Made for this engine"]);
  expect(checks({ ...preflight, diskFree: 1000 }).some(({ kind, detail }) => kind === "bad" && detail.includes("does not fit"))).toBe(true);
  const limit = { allowed: 100, left: 0, windowSeconds: 21600 };
  expect(kinds({ limit })).toContainEqual(["bad", "0 of 100 Hub pulls left"]);
  expect(kinds({ user: "ada" })).toContainEqual(["ok", "Signed in as ada"]);
  expect(kinds({ image: null, diskFree: null })).toEqual([]);
});

test("a platform is the same but for its variant", () => {
  expect(isSamePlatform("linux/arm64/v8", "linux/arm64")).toBe(true);
  expect(isSamePlatform("linux/arm64", "linux/arm")).toBe(false);
  expect(isSamePlatform("linux", "linux/arm")).toBe(false);
});

test("only what may be a name is asked for", () => {
  for (const text of ["python", "python:3.13-slim", "ghcr.io/a/b", "localhost:5000/a/b:1"]) expect(askable(text), text).toBe(true);
  for (const text of ["", "python:", "a b", "ghcr.io/", "<b>", "../x"]) expect(askable(text), text).toBe(false);
  expect(searchable("postgres")).toBe(true);
  for (const text of ["p", "python:3", "ghcr.io/a/b", "localhost:5000/x"]) expect(searchable(text), text).toBe(false);
});

test("what is typed half has no Pull, and says what is missing", () => {
  for (const text of ["postgres", "postgres:17", "ghcr.io/a/b@sha256:0"]) expect(unfinished(text), text).toBeNull();
  for (const text of ["", " ", "postgres:", "postgres: ", "postgres@", "ghcr.io/"]) expect(unfinished(text), text).not.toBeNull();
});

test("tags are in the order in which people look for them", () => {
  expect(["latest", "3.9", "3.13-slim", "3.13", "alpine", "v4"].sort(byVersion)).toEqual(["v4", "3.13", "3.13-slim", "3.9", "alpine", "latest"]);
});

test("a tag says for whom it is", () => {
  expect(platformWord(["linux/arm64/v8", "linux/amd64"], "linux/amd64")).toBe("yours");
  expect(platformWord(["linux/arm64/v8"], "linux/arm64")).toBe("yours");
  expect(platformWord(["linux/arm/v7"], "linux/arm64")).toBe("arm");
  expect(platformWord(["windows/amd64"], "linux/amd64")).toBe("Windows");
  expect(platformWord([], "linux/amd64")).toBe("");
});
