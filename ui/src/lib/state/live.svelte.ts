import { problemOf, type Problem, type Topic } from "$lib/api";
import { onChanged } from "./events.svelte";

/**
 * What the app answered last to one question, asked again whenever its topic changes. The old answer stays until the
 * new one is there, so that pages do not blink.
 */
export class Live<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  readonly loading = $derived(this.value === null && this.problem === null);

  #ask: () => Promise<T>;
  #asking = false;
  #again = false;

  constructor(topics: Topic[], ask: () => Promise<T>) {
    this.#ask = ask;
    onChanged(topics, () => void this.refresh());
  }

  /** One question at a time; a change that arrives meanwhile asks once more. */
  async refresh(): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    try {
      do {
        this.#again = false;
        try {
          this.value = await this.#ask();
          this.problem = null;
        } catch (error) {
          this.problem = problemOf(error);
        }
      } while (this.#again);
    } finally {
      this.#asking = false;
    }
  }
}
