import { expect, test } from "vitest";
import type { Sample } from "$lib/api";
import { isFresh, lasted, lastMinutes } from "./remedies";

test("a story is asked for again while its end is young", () => {
  expect(isFresh("Exited (1) 4 seconds ago")).toBe(true);
  expect(isFresh("Exited (1) Less than a second ago")).toBe(true);
  expect(isFresh("Exited (1) 2 hours ago")).toBe(false);
});

test("how long it ran, in words", () => {
  expect([400, 42_000, 692_000, 7_200_000, 300_000_000].map(lasted)).toEqual([
    "less than a second",
    "42 s",
    "11 min 32 s",
    "2 h 0 min",
    "3 days",
  ]);
});

test("only its last minutes are shown, and only of the run that ended", () => {
  const sample = (at: number): Sample => ({ at, cpu: 0, memory: at, memoryLimit: 0, rx: 0, tx: 0, read: 0, write: 0, pids: 1 });
  const samples = [10_000, 20_000, 30_000, 40_000, 700_000].map(sample);
  const shown = lastMinutes({ at: 35_000, ran: 20_000 }, samples);
  expect(shown?.samples.map(({ at }) => at)).toEqual([20_000, 30_000]);
  expect([shown?.from, shown?.to]).toEqual([20_000, 35_000]);
  expect(lastMinutes({ at: 705_000, ran: null }, samples)).toBeNull();
  expect(lastMinutes({ at: 630_000, ran: 630_000 }, samples)?.from).toBe(30_000);
  expect(lastMinutes({ at: null, ran: null }, samples)).toBeNull();
});
