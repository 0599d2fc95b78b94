// Which dialog lies on top. Everything beside it is inert, so what must stay in reach is drawn inside it.

import { untrack } from "svelte";

class Layers {
  #open = $state.raw<string[]>([]);

  /** The id of the topmost dialog; `null` when there is none. */
  get top(): string | null {
    return this.#open.at(-1) ?? null;
  }

  /** Called from effects, which must not run again by what they do here. */
  open(id: string): void {
    this.#open = [...untrack(() => this.#open), id];
  }

  close(id: string): void {
    this.#open = untrack(() => this.#open).filter((open) => open !== id);
  }
}

export const layers = new Layers();
