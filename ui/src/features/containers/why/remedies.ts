// What the buttons of a story do, decided apart from where it is drawn.

import type { Cause, Remedy, Sample, Source, Why } from "$lib/api";

export function sourceWord(source: Source): string {
  switch (source) {
    case "engine":
      return "The engine says";
    case "events":
      return "What happened";
    case "kernel":
      return "The kernel says";
    case "log":
      return "It printed";
    case "settings":
      return "Its settings";
    case "sockets":
      return "Its open ports";
    case "files":
      return "Its files";
  }
}

/** The first that changes something is the one to press. */
export function isMain(remedy: Remedy): boolean {
  switch (remedy.type) {
    case "runAgain":
    case "start":
    case "resources":
    case "freeSpace":
      return true;
    case "stop":
    case "showLogs":
    case "copy":
      return false;
  }
}

/** The engine's own words about how long ago: "Exited (1) 4 seconds ago". Then it may have ended once more since. */
export function isFresh(status: string): boolean {
  return /second/i.test(status);
}

/** "11 min 32 s" */
export function lasted(millis: number): string {
  const seconds = Math.round(millis / 1000);
  if (seconds < 1) return "less than a second";
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

/** What is shown of a run that was longer. */
const SHOWN_MILLIS = 600_000;

export function isAboutMemory(cause: Cause): boolean {
  return cause === "memoryLimit" || cause === "machineMemory";
}

/** The last minutes of the run that ended; `null` where too little of it was measured to be a line. */
export function lastMinutes(
  { at, ran }: Pick<Why, "at" | "ran">,
  samples: readonly Sample[],
): { samples: Sample[]; from: number; to: number } | null {
  if (at === null) return null;
  const from = Math.max(at - SHOWN_MILLIS, at - (ran ?? SHOWN_MILLIS));
  const those = samples.filter((sample) => sample.at >= from && sample.at <= at);
  const [first] = those;
  return first === undefined || those.length < 2 ? null : { samples: those, from: first.at, to: at };
}
