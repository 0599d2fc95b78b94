// The layers of an image by what they are made of, for the bar and the list.

import type { ImageStep } from "$lib/api";

export type LayerKind = "base" | "system" | "packages" | "files" | "none";

export const LAYER_KINDS: { kind: LayerKind; label: string }[] = [
  { kind: "base", label: "Base and others" },
  { kind: "system", label: "System packages" },
  { kind: "packages", label: "Program packages" },
  { kind: "files", label: "Files" },
];

export function kindOf(step: ImageStep): LayerKind {
  if (step.bytes === 0) return "none";
  const text = step.instruction;
  if (/\b(apt-get|apt|apk|dnf|yum|microdnf|zypper)\b/.test(text)) return "system";
  if (/\b(pip3?|uv|poetry|conda|npm|pnpm|yarn|bundle|gem|cargo|go (get|mod|build)|composer|mvn|gradle)\b/.test(text)) return "packages";
  if (/^(ADD|COPY)\b/.test(text) && !/^ADD file:/.test(text)) return "files";
  return "base";
}

/** The word that a Dockerfile begins the line with, and the rest. */
export function parts(step: ImageStep): { word: string; rest: string } {
  const match = /^([A-Z]{2,})\s+(.*)$/s.exec(step.instruction);
  if (match?.[1] !== undefined) return { word: match[1], rest: match[2] ?? "" };
  return { word: "", rest: step.instruction || step.comment || "Imported" };
}

export function total(steps: ImageStep[]): number {
  return steps.reduce((sum, step) => sum + step.bytes, 0);
}

/** Where a push of this name would go: "Docker Hub", "ghcr.io". */
export function destination(reference: string): string {
  const [first = ""] = reference.split("/");
  return reference.includes("/") && (/[.:]/.test(first) || first === "localhost") ? first : "Docker Hub";
}

/** Why a name cannot be pushed as it is; `null` when it can. */
export function pushTrouble(reference: string): string | null {
  if (/\s/.test(reference)) return "A name has no blanks";
  if (destination(reference) === "Docker Hub" && !reference.includes("/"))
    return "Docker Hub keeps names without a slash for itself: write you/name, or a registry in front";
  return null;
}
