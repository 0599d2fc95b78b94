// What makes an engine trust a registry's certificate.

import type { About } from "$lib/api";

/** Copies the authority's certificate to where it is looked for; `null` where there is no such place. */
export function trustCommand(ownEngine: boolean, platform: About["platform"] | null, registry: string): string | null {
  if (!ownEngine) {
    const folder = `/etc/docker/certs.d/${registry}/`;
    return `sudo mkdir -p ${folder} && sudo cp ca.crt ${folder}`;
  }
  // A folder's name has no colon there.
  if (platform === "windows") return null;
  const folder = `~/.docker/certs.d/${registry}/`;
  return `mkdir -p ${folder} && cp ca.crt ${folder}`;
}
