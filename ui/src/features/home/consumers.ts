// Who uses most: containers, or compose projects, of the last hour.

import type { ContainerHour, ContainerSummary, Sample } from "$lib/api";

export type By = "cpu" | "memory";
export type Of = "containers" | "projects";

export type Consumer = {
  key: string;
  name: string;
  /** Of a container. */
  id: string | null;
  /** Now; `null` when it does not run. */
  cpu: number | null;
  memory: number | null;
  /** Over the hour in which it ran: 100 is one core. */
  cpuMean: number;
  memoryMost: number;
  network: number;
  disk: number;
};

/** Largest first. Containers that are gone have no name any more and are left out. */
export function consumers(
  hours: readonly ContainerHour[],
  now: ReadonlyMap<string, Sample>,
  containers: readonly ContainerSummary[],
  of: Of,
  by: By,
): Consumer[] {
  const known = new Map(containers.map((container) => [container.id, container]));
  const found = new Map<string, Consumer>();
  for (const hour of hours) {
    const container = known.get(hour.id);
    if (!container) continue;
    const sample = now.get(hour.id) ?? hour.now;
    const isProject = of === "projects" && container.project !== null;
    if (of === "projects" && !isProject) continue;
    const key = isProject ? `project ${container.project}` : hour.id;
    const sum = found.get(key) ?? {
      key,
      name: isProject ? (container.project ?? "") : container.name,
      id: isProject ? null : hour.id,
      cpu: null,
      memory: null,
      cpuMean: 0,
      memoryMost: 0,
      network: 0,
      disk: 0,
    };
    found.set(key, {
      ...sum,
      cpu: sample ? (sum.cpu ?? 0) + sample.cpu : sum.cpu,
      memory: sample ? (sum.memory ?? 0) + sample.memory : sum.memory,
      cpuMean: sum.cpuMean + hour.cpuMean,
      // What is used now may be newer than the last thing that was written down.
      memoryMost: sum.memoryMost + Math.max(hour.memoryMost, sample?.memory ?? 0),
      network: sum.network + hour.network,
      disk: sum.disk + hour.disk,
    });
  }
  const size = (one: Consumer) => (by === "cpu" ? one.cpuMean : one.memoryMost);
  return [...found.values()].sort((left, right) => size(right) - size(left) || left.name.localeCompare(right.name));
}
