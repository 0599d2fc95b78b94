// What is known of a run before it is tried: which checks are shown where, and what their remedies are called.

import type { PreflightCheck, PreflightFix, RunSpec } from "$lib/api";
import { sizeText } from "./units";

export function fixLabel(fix: PreflightFix): string {
  switch (fix.type) {
    case "useName":
      return `Use ${fix.name}`;
    case "makeFolder":
      return "Make the folder";
    case "shareFolder":
      return "Share it";
    case "useMemory":
      return `Use ${sizeText(fix.bytes)}`;
    case "useOwnPlatform":
      return "Use this engine's";
    case "freeSpace":
      return "Free space";
  }
}

/** Those that have no field of their own to stand beside. */
export function besideForm(checks: PreflightCheck[]): PreflightCheck[] {
  return checks.filter(({ about, verdict }) => !(about.type === "mount" && verdict !== "pass"));
}

/** What the answer depends on: the rest of the spec may change without another question. */
export function questionOfSpec(spec: RunSpec): string {
  const { image, name, platform, mounts, envFiles, memory, shmSize } = spec;
  return JSON.stringify([image, name, platform, mounts.map(({ source, target, readOnly }) => [source, target, readOnly]), envFiles, memory, shmSize]);
}
