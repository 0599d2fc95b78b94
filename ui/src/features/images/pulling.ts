// Pulls that go on while no dialog shows them.

import type { Task, TaskId } from "$lib/api";
import { dialogs } from "$lib/state/dialogs.svelte";
import { tasks } from "$lib/state/tasks.svelte";
import { toasts } from "$lib/state/toasts.svelte";
import { shortName } from "./rows";

export function isPulling(task: Task): boolean {
  return task.work.type === "pull" && task.outcome.type === "working";
}

export function pullOf(reference: string | null): Task | null {
  return tasks.list.find((task) => isPulling(task) && task.work.type === "pull" && task.work.reference === reference) ?? null;
}

/** Says how it ended. */
export async function pullInBackground(id: TaskId, reference: string): Promise<void> {
  const outcome = await tasks.ended(id);
  // Somebody looks at it: the dialog says it.
  if (dialogs.open?.type === "pull" && dialogs.open.reference === reference) return;
  if (outcome.type === "done") {
    toasts.show(`${reference} is here`, {
      action: { label: `Run ${shortName(reference)}`, run: () => dialogs.run(reference) },
    });
  } else if (outcome.type === "failed") {
    toasts.trouble(outcome.problem, { label: "Try again", run: () => dialogs.pull(reference) });
  }
}
