// A command as one line, and as its words.

import { quote, split } from "shlex";

/** Words as a shell splits them; `null` while a quote is open. */
export function words(command: string): string[] | null {
  try {
    return split(command);
  } catch {
    return null;
  }
}

/** The command as text that `words` takes apart again. */
export function asText(command: string[]): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quote(word))).join(" ");
}
