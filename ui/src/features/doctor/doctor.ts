// What the doctor found, in the order and the words in which it is shown and copied.

import type { Check, CheckGroup, Examination, Verdict } from "$lib/api";

export const GROUPS: { group: CheckGroup; title: string }[] = [
  { group: "engine", title: "Engine" },
  { group: "network", title: "Network" },
  { group: "computer", title: "This computer" },
];

export const VERDICTS: Record<Verdict, string> = {
  pass: "Well",
  warn: "To look at",
  fail: "Broken",
  skip: "Not looked at",
};

export function needsYou(check: Check): boolean {
  return check.verdict === "fail" || check.verdict === "warn";
}

export function count(examination: Examination, verdict: Verdict): number {
  return examination.checks.filter((check) => check.verdict === verdict).length;
}

/** "13 of 15 checks pass"; what could not be looked at does not count. */
export function headline(examination: Examination): string {
  const looked = examination.checks.filter((check) => check.verdict !== "skip").length;
  const passed = count(examination, "pass");
  return passed === looked ? `All ${looked} checks pass` : `${passed} of ${looked} checks pass`;
}

/** Broken things first, then what only needs a look. */
export function troubles(examination: Examination): Check[] {
  const by = (verdict: Verdict) => examination.checks.filter((check) => check.verdict === verdict);
  return [...by("fail"), ...by("warn")];
}

/** For a question or a bug report. */
export function resultText(examination: Examination): string {
  return examination.checks
    .map((check) => {
      const detail = check.detail ? ` (${check.detail})` : "";
      const more = [check.why, check.advice ?? check.fix?.command].filter(Boolean).map((line) => `\n    ${line}`);
      return `${VERDICTS[check.verdict]}: ${check.title}${detail}${more.join("")}`;
    })
    .join("\n");
}
