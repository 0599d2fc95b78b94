import { expect, test } from "vitest";
import { sleepOptions } from "./sleep";

const values = (now: number | null) => sleepOptions(now).map((option) => option.value);

test("what is set now can be seen, whatever it is", () => {
  expect(values(5)).toEqual(["5", "15", "30", "60", "never"]);
  expect(values(7)).toEqual(["5", "7", "15", "30", "60", "never"]);
  expect(values(null)).toEqual(["5", "15", "30", "60", "never"]);
  expect(sleepOptions(1)[0]?.label).toBe("After 1 minute");
});
