import { expect, test } from "vitest";

import type { ShownLine } from "$lib/api";
import { drawn } from "./drawnlines";

function line(number: number, change: Partial<ShownLine> = {}): ShownLine {
  return { number, of: 0, source: "stdout", millis: 0, level: null, text: `line ${number}`, length: null, found: [], ...change };
}

const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => line(from + at));
const rows = (of: { row: number }[]) => of.map(({ row }) => row);

test("lines that stay keep their rows and are the same, others take what is free", () => {
  const first = drawn([], lines(0, 4));
  expect(rows(first)).toEqual([0, 1, 2, 3]);
  const next = drawn(first, lines(2, 6));
  expect(rows(next)).toEqual([2, 3, 0, 1]);
  expect(next[0]).toBe(first[2]);
  expect(rows(drawn(next, lines(1, 5)))).toEqual([1, 2, 3, 0]);
});

test("a flood makes no row and moves none", () => {
  const first = drawn([], lines(0, 4));
  expect(rows(drawn(first, lines(1000, 1004)))).toEqual(rows(first));
});

test("more lines in view get rows of their own, fewer leave some", () => {
  const few = drawn(drawn([], lines(0, 4)), lines(0, 2));
  expect(rows(few)).toEqual([0, 1]);
  const more = rows(drawn(few, lines(7, 12)));
  expect(new Set(more).size).toBe(5);
});

test("a line that has changed is drawn again in its row", () => {
  const first = drawn([], lines(0, 2));
  const [found, same] = drawn(first, [line(0, { found: [[0, 4]] }), line(1)]);
  expect(found).toMatchObject({ row: 0, found: [[0, 4]] });
  expect(found).not.toBe(first[0]);
  expect(same).toBe(first[1]);
});
