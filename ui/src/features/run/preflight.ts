// What is known of a run before it is tried: which checks are shown where, and what their remedies are called.

import { checks, download, savedWords } from "$features/images/preflight";
import type { BeforePull, PreflightCheck, PreflightFix, RunSpec } from "$lib/api";
import { bytes, sentence } from "$lib/format";
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

/** Those that have no field of their own to stand beside: what is wrong with a mount or a file is said there. */
export function besideForm(checks: PreflightCheck[]): PreflightCheck[] {
  return checks.filter(({ about, verdict }) => !((about.type === "mount" || about.type === "envFile") && verdict !== "pass"));
}

const VERDICTS = { ok: "pass", info: "skip", warn: "warn", bad: "warn" } as const;

/** What getting the image will cost, and whether it is made for this engine. */
export function pullLines(before: BeforePull): PreflightCheck[] {
  const line = (verdict: PreflightCheck["verdict"], text: string): PreflightCheck => ({
    about: { type: "image" },
    verdict,
    sentence: text,
    fix: null,
  });
  if (before.problem) return [line("warn", sentence(before.problem.message))];
  if (before.image === null) return [];
  const saved = savedWords(before);
  return [
    line("skip", `${bytes(download(before))} to download${saved === null ? "" : `: ${saved}`}`),
    ...checks(before).map(({ kind, title, detail }) =>
      line(VERDICTS[kind], kind === "warn" || kind === "bad" ? `${title}. ${detail}` : title),
    ),
  ];
}

/** What the answer depends on: the rest of the spec may change without another question. */
export function questionOfSpec(spec: RunSpec): string {
  const { image, name, platform, mounts, envFiles, memory, shmSize } = spec;
  return JSON.stringify([image, name, platform, mounts.map(({ source, target, readOnly }) => [source, target, readOnly]), envFiles, memory, shmSize]);
}
