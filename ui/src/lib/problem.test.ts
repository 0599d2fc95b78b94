import { expect, test } from "vitest";
import type { Problem } from "$lib/api";
import { explanation } from "./problem";

const problem: Problem = { code: "other", message: "Could not start web", why: null, hint: null, causes: ["raw"], action: null };

test("why comes before what to do", () => {
  const taken: Problem = { ...problem, why: "8080 is used by nginx (pid 42)", hint: "Use 8081." };
  expect(explanation(taken)).toBe("8080 is used by nginx (pid 42). Use 8081.");
});

test("raw words are better than none", () => {
  expect(explanation({ ...problem, hint: "Check the name." })).toBe("Check the name.");
  expect(explanation(problem)).toBe("raw.");
  expect(explanation({ ...problem, causes: [] })).toBeNull();
});
