// Where something that is saved goes: the window asks with the system's own dialog; a browser has none, and there it is
// a new file in the person's downloads.

import { host } from "$lib/api";

/** What no system takes in a name. */
// eslint-disable-next-line no-control-regex
const UNFIT = /[\u0000-\u001f\u007f/\\:*?"<>|]/g;

/** `to` is the whole path that was chosen. `null`: the person wants nothing saved. */
export async function saveAs(title: string, name: string): Promise<{ to: string | null } | null> {
  if (!host.choose) return { to: null };
  const to = await host.choose({ what: "newFile", title, path: name.replace(UNFIT, "_") });
  return to === null ? null : { to };
}
