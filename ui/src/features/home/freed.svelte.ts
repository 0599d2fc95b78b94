// Taking back at once what the machine holds and does not need, from wherever it is offered.

import { call } from "$lib/api";
import { toasts } from "$lib/state/toasts.svelte";
import { freedWords } from "./freed";

class FreeUp {
  busy = $state(false);

  async now(): Promise<void> {
    this.busy = true;
    try {
      toasts.show(freedWords(await call("machine.free")));
    } catch (error) {
      toasts.problem(error);
    } finally {
      this.busy = false;
    }
  }
}

export const freeUp = new FreeUp();
