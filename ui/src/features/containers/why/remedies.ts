// What the buttons of a story do, decided apart from where it is drawn.

import type { Remedy, RunSpec, Source } from "$lib/api";

/** The old container keeps its name until it is deleted: "trainer" runs again as "trainer-2". */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  const base = name.replace(/-\d+$/, "");
  let number = 2;
  while (taken.has(`${base}-${number}`)) number += 1;
  return `${base}-${number}`;
}

export function renamed(spec: RunSpec, taken: ReadonlySet<string>): RunSpec {
  return { ...spec, name: spec.name === null ? null : freeName(spec.name, taken) };
}

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
