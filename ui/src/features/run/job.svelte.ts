// The work that Run begins: it goes on when the dialog is closed.

import { problemOf, type Problem, type TaskId } from "$lib/api";
import { tasks } from "$lib/state/tasks.svelte";
import { toasts } from "$lib/state/toasts.svelte";

export class RunJob {
  id = $state<TaskId | null>(null);
  problem = $state.raw<Problem | null>(null);
  #asking = $state(false);

  task = $derived(this.id === null ? null : tasks.get(this.id));
  working = $derived(this.#asking || this.id !== null);

  async run(
    begin: () => Promise<TaskId>,
    ondone: (container: string | null) => Promise<void>,
    onfail: (problem: Problem) => void,
  ): Promise<void> {
    this.problem = null;
    this.#asking = true;
    try {
      this.id = await begin();
      const outcome = await tasks.ended(this.id);
      // What it had to say besides, like that the old one is still there.
      for (const note of tasks.get(this.id)?.notes ?? []) toasts.show(note, { kind: "info", stays: true });
      if (outcome.type === "done") await ondone(outcome.container);
      else if (outcome.type === "failed") onfail(outcome.problem);
    } catch (error) {
      onfail(problemOf(error));
    } finally {
      this.id = null;
      this.#asking = false;
    }
  }

  async cancel(): Promise<void> {
    if (this.id === null) return;
    try {
      await tasks.cancel(this.id);
    } catch (error) {
      toasts.problem(error);
    }
  }
}
