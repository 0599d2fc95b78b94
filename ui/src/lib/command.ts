// Commands as lines that an InkStrip shows.

import type { CommandLine } from "$lib/api";

/** Without explanations. */
export function plainCommand(text: string): CommandLine {
  return { text, parts: [{ kind: "program", text, explanation: null }] };
}
