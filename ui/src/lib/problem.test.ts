import { expect, test } from "vitest";
import type { Problem } from "$lib/api";
import { explanation } from "./problem";

const problem: Problem = { code: "other", message: "Could not start web", hint: null, causes: [], action: null };

test("a taken port says who holds it before it says what to do", () => {
  const taken: Problem = { ...problem, code: "portTaken", hint: "Use 8081.", causes: ["8080 is used by nginx (pid 42)", "raw"] };
  expect(explanation(taken)).toBe("8080 is used by nginx (pid 42). Use 8081.");
});

test("a problem without a remedy says its first reason", () => {
  expect(explanation({ ...problem, causes: ["The registry said no"] })).toBe("The registry said no.");
  expect(explanation({ ...problem, hint: "Check the name.", causes: ["The registry said no"] })).toBe("Check the name.");
  expect(explanation(problem)).toBeNull();
});
