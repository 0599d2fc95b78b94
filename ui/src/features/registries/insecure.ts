// What lets an engine ask a registry without encryption, in words for a terminal and for an engine's settings.

/** For Wherry's own engine: all that are allowed from then on. */
export function insecureCommand(kept: string[], registry: string): string {
  return `wherry set insecure-registries ${joined(kept, registry).join(",")}`;
}

/** For an engine that is somebody else's: the entry of its `daemon.json`. */
export function insecureJson(known: string[], registry: string): string {
  return `"insecure-registries": [${joined(known, registry)
    .map((one) => JSON.stringify(one))
    .join(", ")}]`;
}

/** Reading it again is enough, and stops nothing. */
export function reloadCommand(): string {
  return "sudo systemctl reload docker";
}

function joined(all: string[], one: string): string[] {
  return all.includes(one) ? all : [...all, one];
}
