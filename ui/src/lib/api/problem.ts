import type { Problem } from "./generated";

export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

/** What to show for anything that was thrown: our own mistakes in the UI become a problem too. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  const cause = error instanceof Error ? error.message : String(error);
  return { code: "other", message: "Something went wrong in the window", why: null, hint: null, causes: [cause], action: null };
}

/** A rejected call carries a problem, unless it never reached the app. */
export function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "code" in value && "message" in value;
}
