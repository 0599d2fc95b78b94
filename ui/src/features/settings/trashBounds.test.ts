import { expect, test } from "vitest";
import { dayOptions, sizeOptions } from "./trashBounds";

test("what was set by hand is offered, too", () => {
  expect(dayOptions(7).map(({ label }) => label)).toEqual(["1 day", "3 days", "7 days", "14 days", "30 days", "90 days"]);
  expect(dayOptions(5).map(({ value }) => value)).toEqual([1, 3, 5, 7, 14, 30, 90]);
  expect(sizeOptions(1.5 * 2 ** 30).map(({ label }) => label)).toEqual(["1 GB", "1.5 GB", "5 GB", "10 GB", "20 GB", "50 GB", "100 GB"]);
});
