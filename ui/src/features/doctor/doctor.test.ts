import { expect, test } from "vitest";
import type { Check, Examination } from "$lib/api";
import { headline, resultText, troubles } from "./doctor";

function check(name: string, verdict: Check["verdict"], more: Partial<Check> = {}): Check {
  return { name, group: "engine", title: name, verdict, detail: null, why: null, advice: null, fix: null, ...more };
}

const EXAMINATION: Examination = {
  millis: 1200,
  checks: [
    check("qemu", "pass", { detail: "10.0.2" }),
    check("clock", "skip"),
    check("dns", "warn"),
    check("context", "fail", {
      why: "Its context is colima.",
      fix: { action: "selectContext", label: "Point it here", command: "wherry context" },
    }),
  ],
};

test("what was not looked at is neither passed nor failed", () => {
  expect(headline(EXAMINATION)).toBe("1 of 3 checks pass");
});

test("what is broken is told first", () => {
  expect(troubles(EXAMINATION).map((check) => check.name)).toEqual(["context", "dns"]);
});

test("the copied result says why and what to type", () => {
  expect(resultText(EXAMINATION)).toBe(
    "Well: qemu (10.0.2)\nNot looked at: clock\nTo look at: dns\n" +
      "Broken: context\n    Its context is colima.\n    wherry context",
  );
});
