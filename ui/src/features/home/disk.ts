import type { Cost } from "$lib/api";

export type DiskKind = { name: string; kept: string; bytes: number; color: string; part: number };

/**
 * The engine's disk by kind, each as a part of the whole disk. Where the whole is not known the kinds fill the bar.
 */
export function diskKinds(cost: Cost): DiskKind[] {
  const { images, containers, volumes, buildCache } = cost.diskBy;
  const total = Math.max(cost.diskTotal ?? 0, images + containers + volumes + buildCache, 1);
  const kind = (name: string, bytes: number, color: string, kept = ""): DiskKind => ({
    name,
    kept,
    bytes,
    color,
    part: bytes / total,
  });
  return [
    kind("Images", images, "var(--chart-1)"),
    kind("Containers", containers, "var(--chart-2)"),
    kind("Volumes", volumes, "var(--chart-3)", "never removed for you"),
    kind("Build cache", buildCache, "var(--chart-5)"),
  ];
}
