// In which forms the equivalent of a run can be written.

import type { Shell } from "$lib/api";

export type Writing = Shell | "compose";

export const SHELLS: Record<Writing, { label: string; prompt: string }> = {
  posix: { label: "Shell", prompt: "$ " },
  powerShell: { label: "PowerShell", prompt: "> " },
  cmd: { label: "cmd", prompt: "> " },
  compose: { label: "Compose", prompt: "" },
};

/** The compose file is the same for every shell. */
export function shellOf(writing: Writing): Shell {
  return writing === "compose" ? "posix" : writing;
}
