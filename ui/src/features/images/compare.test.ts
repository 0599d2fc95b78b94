import { expect, test } from "vitest";
import type { ImageDetail, ImageStep } from "$lib/api";
import { filesShown, growth, kindOf, layerRows, layersOf, settings, summary } from "./compare";

function image(change: Partial<ImageDetail>): ImageDetail {
  return {
    id: "sha256:1",
    references: [],
    size: 1000,
    created: 0,
    architecture: "amd64",
    os: "linux",
    exposedPorts: [],
    environment: [],
    entrypoint: [],
    command: ["sh"],
    volumes: [],
    workingDirectory: "",
    user: "",
    labels: {},
    layers: [],
    ...change,
  };
}

const step = (instruction: string, bytes: number): ImageStep => ({ instruction, bytes, created: 0, comment: "" });

test("what differs is marked, and what neither has is left out", () => {
  const rows = settings(
    image({ environment: [{ name: "A", value: "1" }], labels: { x: "<b>" } }),
    image({ user: "app", environment: [{ name: "A", value: "2" }] }),
  );
  const different = rows.filter((row) => !row.same).map(({ name, left, right }) => [name, left, right]);
  expect(different).toEqual([
    ["User", "root", "app"],
    ["$A", "1", "2"],
    ["Label x", "<b>", "none"],
  ]);
  expect(rows.some(({ name }) => name === "Volumes")).toBe(false);
  expect(rows.find(({ name }) => name === "Command")).toMatchObject({ left: "sh", same: true });
});

test("secrets that differ are told without their values", () => {
  const of = (value: string) => image({ environment: [{ name: "API_TOKEN", value }] });
  const rows = settings(of("one-of-them"), of("another"));
  expect(rows.find(({ name }) => name === "$API_TOKEN")).toEqual({ name: "$API_TOKEN", left: "••••••••", right: "••••••••", same: false });
});

test("layers are the same from the first on until one differs", () => {
  const left = layersOf(image({ layers: ["a", "b"] }), [step("FROM", 5), step("ENV", 0), step("COPY . .", 7)]);
  const right = layersOf(image({ layers: ["a", "c", "b"] }), [step("FROM", 5)]);
  expect(left[1]).toEqual({ digest: "b", instruction: "COPY . .", bytes: 7 });
  expect(right[1]?.instruction).toBe("");
  const rows = layerRows(left, right);
  expect(rows.map((row) => row.shared)).toEqual([true, false, false]);
  expect(summary(rows)).toBe("The first layer is the same, 5 B.");
  expect(summary(layerRows(left, left))).toBe("All layers are the same.");
  expect(summary(layerRows([], right))).toBe("They share no layer.");
});

test("files are found by what became of them and by name, each with its size", () => {
  const file = (path: string, before: number | null, after: number | null) => ({ path, before, after });
  const files = [file("a/New", null, 5), file("a/gone", 7, null), file("b/other", 1, 2), file("b/same", 3, 3)];
  expect(files.map(kindOf)).toEqual(["added", "removed", "changed", "changed"]);
  expect(filesShown(files, "changed", "").map(({ path }) => path)).toEqual(["b/other", "b/same"]);
  expect(filesShown(files, "all", " new ").map(({ path }) => path)).toEqual(["a/New"]);
  expect(files.map((each) => growth(each, String))).toEqual(["5", "7", "1 → 2", "3"]);
});
