import type { Problem } from "$lib/api";
import { sentence } from "$lib/format";

/** What stands under a problem's message: why, and what to do. Where neither is known, the first of the raw words. */
export function explanation(problem: Problem): string | null {
  const known = [problem.why, problem.hint].filter((part) => part !== null);
  const said = known.length > 0 ? known : problem.causes.slice(0, 1);
  return said.map(sentence).join(" ") || null;
}
