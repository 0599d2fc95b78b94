import type { Problem } from "$lib/api";
import { sentence } from "$lib/format";

/** What stands under a problem's message: who holds the port and what to do, else the remedy, else the first reason. */
export function explanation(problem: Problem): string | null {
  const [first] = problem.causes;
  const said = problem.code === "portTaken" ? [first, problem.hint] : [problem.hint ?? first];
  return said.filter((part) => part !== undefined && part !== null).map(sentence).join(" ") || null;
}
