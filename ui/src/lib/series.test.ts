import { expect, test } from "vitest";
import type { Sample } from "$lib/api";
import { byMinute, columns, highest, joined, nearest } from "./series";

function sample(at: number, cpu = 1): Sample {
  return { at, cpu, memory: 10, memoryLimit: 100, rx: 1, tx: 2, read: 3, write: 4, pids: 5 };
}

test("a line breaks where nothing is known", () => {
  const { times, values } = columns([sample(0), sample(10_000), sample(60_000)], 0, [(one) => one.cpu, (one) => one.rx]);
  expect(times).toEqual([0, 10_000, 10_001, 60_000]);
  expect(values).toEqual([
    [1, 1, null, 1],
    [1, 1, null, 1],
  ]);
  expect(columns([sample(0), sample(10_000)], 5_000, []).times).toEqual([10_000]);
});

test("what is live goes behind what is kept, each moment once", () => {
  const both = joined([sample(0), sample(10_000)], [sample(8_000), sample(10_000), sample(12_000)]);
  expect(both.map((one) => one.at)).toEqual([0, 10_000, 12_000]);
  expect(joined([], [sample(1)]).length).toBe(1);
});

test("the table has a row a minute, newest first", () => {
  const rows = byMinute([sample(0), sample(50_000), sample(61_000), sample(119_000)]);
  expect(rows.map((one) => one.at)).toEqual([119_000, 50_000]);
});

test("the highest and the nearest", () => {
  expect(highest([null, 1, 7, null, 7])).toBe(2);
  expect(highest([null])).toBe(-1);
  expect(nearest([0, 10, 20], 14)).toBe(1);
  expect(nearest([0, 10, 20], 16)).toBe(2);
  expect(nearest([0, 10, 20], 99)).toBe(2);
  expect(nearest([0], -5)).toBe(0);
});
