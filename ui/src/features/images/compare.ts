// Two images side by side: what they are set to, and from which layer on they differ.

import type { FileDifference, ImageDetail, ImageStep } from "$lib/api";
import { bytes } from "$lib/format";
import { secretShown } from "$lib/secret";

export type Row = { name: string; left: string; right: string; same: boolean };

/** One layer of either side; `shared` ones are the same in both. */
export type LayerRow = { left: Layer | null; right: Layer | null; shared: boolean };
export type Layer = { digest: string; instruction: string; bytes: number };

const NONE = "none";

function words(list: readonly string[]): string {
  return list.length === 0 ? NONE : list.join(" ");
}

/** Settings in which both have nothing are left out. */
export function settings(left: ImageDetail, right: ImageDetail): Row[] {
  const row = (name: string, of: (image: ImageDetail) => string): Row => {
    const [a, b] = [of(left), of(right)];
    return { name, left: a, right: b, same: a === b };
  };
  const rows = [
    row("Size", ({ size }) => bytes(size)),
    row("Platform", ({ os, architecture }) => `${os}/${architecture}`),
    row("Entrypoint", ({ entrypoint }) => words(entrypoint)),
    row("Command", ({ command }) => words(command)),
    row("Folder", ({ workingDirectory }) => workingDirectory || "/"),
    row("User", ({ user }) => user || "root"),
    row("Ports", ({ exposedPorts }) => words(exposedPorts.map(({ port, protocol }) => `${port}/${protocol}`))),
    row("Volumes", ({ volumes }) => words(volumes)),
  ];
  return [
    ...rows.filter((each) => !each.same || (each.left !== NONE && each.left !== "")),
    ...pairs("$", named(left.environment), named(right.environment), secretShown),
    ...pairs("Label ", new Map(Object.entries(left.labels)), new Map(Object.entries(right.labels)), (_, value) => value),
  ];
}

function named(variables: ImageDetail["environment"]): Map<string, string> {
  return new Map(variables.map(({ name, value }) => [name, value]));
}

type Values = ReadonlyMap<string, string | undefined>;

function pairs(before: string, left: Values, right: Values, shown: (name: string, value: string) => string): Row[] {
  const names = [...new Set([...left.keys(), ...right.keys()])].sort();
  return names.map((name) => {
    const [a, b] = [left.get(name) ?? NONE, right.get(name) ?? NONE];
    return { name: `${before}${name}`, left: shown(name, a), right: shown(name, b), same: a === b };
  });
}

/** Layers with what made them. Steps without content made none; where the counts do not fit, nobody knows which is which. */
export function layersOf(image: ImageDetail, steps: readonly ImageStep[]): Layer[] {
  const made = steps.filter((step) => step.bytes > 0);
  const fits = made.length === image.layers.length;
  return image.layers.map((digest, index) => {
    const step = fits ? made[index] : undefined;
    return { digest, instruction: step?.instruction ?? "", bytes: step?.bytes ?? 0 };
  });
}

export function layerRows(left: readonly Layer[], right: readonly Layer[]): LayerRow[] {
  let shared = 0;
  while (shared < Math.min(left.length, right.length) && left[shared]?.digest === right[shared]?.digest) shared += 1;
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => ({
    left: left[index] ?? null,
    right: right[index] ?? null,
    shared: index < shared,
  }));
}

export function summary(rows: readonly LayerRow[]): string {
  const shared = rows.filter((row) => row.shared);
  const size = shared.reduce((sum, { left }) => sum + (left?.bytes ?? 0), 0);
  if (shared.length === 0) return "They share no layer.";
  if (shared.length === rows.length) return "All layers are the same.";
  return `The first ${shared.length === 1 ? "layer is" : `${shared.length} layers are`} the same${size > 0 ? `, ${bytes(size)}` : ""}.`;
}

export type FileKind = "all" | "added" | "removed" | "changed";

export function kindOf({ before, after }: FileDifference): Exclude<FileKind, "all"> {
  return before === null ? "added" : after === null ? "removed" : "changed";
}

export function filesShown(files: readonly FileDifference[], kind: FileKind, search: string): FileDifference[] {
  const text = search.trim().toLowerCase();
  return files.filter((file) => (kind === "all" || kindOf(file) === kind) && file.path.toLowerCase().includes(text));
}

/** "12 kB", or "12 kB → 14 kB"; the same size twice is said once. */
export function growth({ before, after }: FileDifference, words: (size: number) => string): string {
  if (before === null || after === null || before === after) return words(before ?? after ?? 0);
  return `${words(before)} → ${words(after)}`;
}
