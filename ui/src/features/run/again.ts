// A container that is made anew: what of its data stays, and what goes with the old one.

import type { MadeOf, MountSource, RunMount, RunSpec } from "$lib/api";

export type Data = {
  /** "Volume pgdata at /var/lib/postgresql/data" */
  stays: string[];
  /** Was there and is not any more: its data stays where it is. */
  left: string[];
  /** In memory, gone whenever it stops. */
  memory: string[];
};

function words({ source, target }: RunMount): string {
  switch (source.type) {
    case "folder":
      return `${source.path} of this computer at ${target}`;
    case "volume":
      return source.name === null ? `A new volume at ${target}` : `Volume ${short(source.name)} at ${target}`;
    case "memory":
      return target;
  }
}

/** A name that the engine has invented says nothing. */
function short(name: string): string {
  return /^[0-9a-f]{64}$/.test(name) ? name.slice(0, 12) : name;
}

function same(one: MountSource, other: MountSource): boolean {
  if (one.type === "folder" && other.type === "folder") return one.path === other.path;
  if (one.type === "volume" && other.type === "volume") return one.name !== null && one.name === other.name;
  return false;
}

export function dataOf(before: RunSpec, after: RunSpec): Data {
  const kept = before.mounts.filter(({ source }) => source.type !== "memory");
  const stays = (mount: RunMount) => after.mounts.some(({ source }) => same(source, mount.source));
  return {
    stays: kept.filter(stays).map(words),
    left: kept.filter((mount) => !stays(mount)).map(words),
    memory: before.mounts.filter(({ source }) => source.type === "memory").map(words),
  };
}

/** What was written inside the container itself, in a sentence. */
export function writtenWords({ written, writtenCount }: Pick<MadeOf, "written" | "writtenCount">): string {
  if (writtenCount === 0) return "It has written nothing inside itself.";
  const [first] = written;
  if (writtenCount === 1) return `${first} was written inside it and goes.`;
  return `${writtenCount} files that were written inside it go, like ${first}.`;
}
