// What can be removed from the engine's disk: what is ticked, what that brings back, and the command that does it.

import type { CommandLine, CommandPart, Reclaimable, ReclaimRequest, TrashId } from "$lib/api";

export type Kind = keyof Reclaimable;

/** Ids of what is ticked. The build cache goes as a whole. */
export type Ticked = Record<Kind, ReadonlySet<string>>;

export const KINDS: { kind: Kind; title: string; about: string }[] = [
  { kind: "trash", title: "Trash", about: "What you have removed already. It cannot come back after this." },
  { kind: "images", title: "Unused images", about: "No container was made from them. They can be pulled again." },
  { kind: "buildCache", title: "Build cache", about: "The next build takes longer once." },
  { kind: "containers", title: "Stopped containers", about: "What they wrote outside of volumes goes with them." },
  { kind: "volumes", title: "Volumes that no container has", about: "What is in them exists nowhere else, so they wait in the trash first." },
];

/** One kind alone, for a list that knows only that. */
export function ofKind(found: Reclaimable, only: Kind | null): Reclaimable {
  if (only === null) return found;
  return { containers: [], images: [], volumes: [], buildCache: [], trash: [], [only]: found[only] };
}

/**
 * What can be had again is ticked, and containers where nothing else was asked for. Volumes hold what cannot be had
 * again, and never are.
 */
export function atFirst(found: Reclaimable, only: Kind | null = null): Ticked {
  const all = (kind: Kind) => new Set(found[kind].map((item) => item.id));
  return {
    images: all("images"),
    buildCache: all("buildCache"),
    containers: only === "containers" ? all("containers") : new Set(),
    volumes: new Set(),
    trash: new Set(found.trash.filter(({ trashed }) => trashed?.type === "image").map(({ id }) => id)),
  };
}

/** How much of a kind comes back. */
export function sizeOf(found: Reclaimable, kind: Kind, ticked: ReadonlySet<string>): number {
  return found[kind].reduce((sum, item) => (ticked.has(item.id) ? sum + item.size : sum), 0);
}

/** What is kept brings nothing back for now, and volumes always are. */
export function totalOf(found: Reclaimable, ticked: Ticked, keep = false): number {
  const kinds = KINDS.filter(({ kind }) => kind === "trash" || kind === "buildCache" || (kind !== "volumes" && !keep));
  return kinds.reduce((sum, { kind }) => sum + sizeOf(found, kind, ticked[kind]), 0);
}

/** `keep`: into the trash instead. */
export function requestOf(found: Reclaimable, ticked: Ticked, keep = false): ReclaimRequest {
  const names = (kind: Kind) => found[kind].flatMap((item) => (ticked[kind].has(item.id) ? item.remove : []));
  return {
    containers: names("containers"),
    images: names("images"),
    volumes: names("volumes"),
    buildCache: ticked.buildCache.size > 0,
    trash: found.trash.flatMap((item) => (ticked.trash.has(item.id) && item.trashed ? [item.trashed] : [])),
    keep,
  };
}

export function isNothing(request: ReclaimRequest): boolean {
  const { containers, images, volumes, trash, buildCache } = request;
  return containers.length + images.length + volumes.length + trash.length === 0 && !buildCache;
}

/** The docker commands that do the same. The names are the engine's own, which need no quotes. */
export function commandOf(request: ReclaimRequest): CommandLine {
  const commands: CommandPart[][] = [];
  const add = (words: string, explanation: string, names: string[]) => {
    if (names.length === 0) return;
    commands.push([
      { text: "docker", kind: "program", explanation: null },
      { text: words, kind: "argument", explanation },
      ...names.map((text): CommandPart => ({ text, kind: "image", explanation: null })),
    ]);
  };
  add("rm", "Removes containers that do not run.", request.containers);
  add("rmi", "Removes images by name. An image goes with its last name.", request.images);
  add("volume rm", "Removes volumes and what is in them.", request.volumes);
  const of = (type: TrashId["type"]) => request.trash.flatMap((each) => (each.type === type ? [each.id] : []));
  add("rm", "Removes containers that are in the trash.", of("container").map((id) => id.slice(0, 12)));
  add("rmi", "Removes images that are in the trash.", of("image"));
  add("volume rm", "Removes volumes that are in the trash.", of("volume"));
  if (request.buildCache) {
    commands.push([
      { text: "docker", kind: "program", explanation: null },
      { text: "builder prune", kind: "argument", explanation: "Removes what builds have kept." },
      { text: "--all", kind: "flag", explanation: "Also what the latest builds used." },
      { text: "--force", kind: "flag", explanation: "Does not ask first." },
    ]);
  }
  const and: CommandPart = { text: "&&", kind: "argument", explanation: null };
  const parts = commands.flatMap((command, index) => (index === 0 ? command : [and, ...command]));
  return { text: parts.map((part) => part.text).join(" "), parts };
}
