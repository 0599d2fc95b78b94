import type { DockerSetup } from "$lib/api";

/** Where the docker command of the person's terminal stands beside Wherry's own engine. */
export type InTerminal = "same" | "elsewhere" | "overridden" | "missing";

export function inTerminal(setup: DockerSetup): InTerminal {
  if (setup.program === null) return "missing";
  if (setup.ours) return "same";
  return setup.overridden ? "overridden" : "elsewhere";
}
