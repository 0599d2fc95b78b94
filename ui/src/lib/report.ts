import type { Failure, Problem } from "$lib/api";

/** What a person pastes into a question or a bug report. */
export function report(problem: Problem): string {
  return lines(problem.message, problem.code, [problem.why, ...problem.causes].filter((cause) => cause !== null), problem.hint, []);
}

export function failureReport(failure: Failure): string {
  return lines(failure.message, failure.code, failure.causes, failure.hint, failure.console);
}

function lines(message: string, code: string, causes: string[], hint: string | null, console: string[]): string {
  const parts = [`${message} (${code})`, ...causes.map((cause) => `  because: ${cause}`)];
  if (hint) parts.push(hint);
  if (console.length > 0) parts.push("", "Console:", ...console);
  return parts.join("\n");
}
