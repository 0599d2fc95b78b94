// What was typed and is not saved yet: nobody loses it without being asked.

import { host } from "$lib/api";
import { holdPage } from "./route.svelte";

/** `ask` is called with what leaves all the same. The result ends it. */
export function askBeforeLeaving(ask: (leave: () => void) => void): () => void {
  const page = holdPage(ask);
  const window = host.holdClose(ask);
  return () => {
    page();
    window();
  };
}
