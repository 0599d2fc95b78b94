// Colours of terminal programs in a log line. Everything else a terminal would obey is left out.

import Anser from "anser";
import ansiRegex from "ansi-regex";

export type Span = { text: string; style: string };

// A whole escape first, then any single character that a terminal takes as a command. A tab is text.
const commands = new RegExp(`${ansiRegex().source}|[\\u0000-\\u0008\\u000a-\\u001f\\u007f-\\u009f]`, "g");
const colour = new RegExp("^\\u001b\\[[\\d;:]*m$");

/** A carriage return starts the line again, as progress bars do: what stands after the last one is what one sees. */
function lastVersion(line: string): string {
  if (!line.includes("\r")) return line;
  const versions = line.split("\r").filter((part) => part !== "");
  return versions[versions.length - 1] ?? "";
}

/** What is left to read: no colours, no escapes. Search works on this, and copying gives it. */
export function plain(line: string): string {
  return lastVersion(line).replace(commands, "");
}

/** The parts of a line with their colours. Their texts together are exactly `plain(line)`. */
export function spans(line: string): Span[] {
  const version = lastVersion(line);
  if (!version.includes("\u001b[")) return [{ text: plain(version), style: "" }];
  const onlyColours = version.replace(commands, (command) => (colour.test(command) ? command : ""));
  return Anser.ansiToJson(onlyColours, { use_classes: true, remove_empty: true }).map((part) => ({
    text: part.content,
    style: styleOf(part),
  }));
}

type Part = ReturnType<typeof Anser.ansiToJson>[number];

/** Classes of our own palette: the colours of a terminal would be unreadable on paper. */
function styleOf(part: Part): string {
  const names: string[] = [];
  const name = /^ansi-(?:bright-)?(red|green|yellow|blue|magenta|cyan|black|white)$/.exec(part.fg ?? "")?.[1];
  if (name !== undefined) names.push(`a-${name}`);
  for (const decoration of part.decorations) {
    if (decoration === "bold" || decoration === "dim" || decoration === "italic" || decoration === "underline") {
      names.push(`a-${decoration}`);
    }
  }
  return names.join(" ");
}
