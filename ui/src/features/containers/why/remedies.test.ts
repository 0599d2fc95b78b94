import { expect, test } from "vitest";
import { emptySpec } from "$features/run/spec";
import { freeName, isFresh, lasted, renamed } from "./remedies";

test("what runs again gets the next free name", () => {
  expect(freeName("trainer", new Set())).toBe("trainer");
  expect(freeName("trainer", new Set(["trainer"]))).toBe("trainer-2");
  expect(freeName("trainer-2", new Set(["trainer", "trainer-2"]))).toBe("trainer-3");
  expect(renamed(emptySpec("x"), new Set()).name).toBeNull();
});

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
