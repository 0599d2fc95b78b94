// Long work that lives in the app: pulls and runs. It goes on when a dialog or the window closes.

import { call, type Outcome, type Task, type TaskId } from "$lib/api";
import { onEvent } from "./events.svelte";

class Tasks {
  #all = $state.raw<ReadonlyMap<TaskId, Task>>(new Map());

  /** Newest first. */
  readonly list: Task[] = $derived([...this.#all.values()].sort((a, b) => b.startedMillis - a.startedMillis));

  constructor() {
    onEvent((event) => {
      if (event.type === "task") this.#all = new Map(this.#all).set(event.task.id, event.task);
    });
  }

  async refresh(): Promise<void> {
    try {
      const tasks = await call("task.list");
      this.#all = new Map(tasks.map((task) => [task.id, task]));
    } catch {
      // Events bring them one by one.
    }
  }

  get(id: TaskId): Task | null {
    return this.#all.get(id) ?? null;
  }

  /** Resolves when the task has ended, however it did. */
  ended(id: TaskId): Promise<Outcome> {
    return new Promise((resolve) => {
      const stop = onEvent((event) => {
        if (event.type === "task" && event.task.id === id) settle(event.task);
      });
      const settle = (task: Task | undefined | null) => {
        if (!task || task.outcome.type === "working") return;
        stop();
        resolve(task.outcome);
      };
      // It may have ended before its first event was heard.
      settle(this.get(id));
      void this.refresh().then(() => settle(this.get(id)));
    });
  }

  async cancel(id: TaskId): Promise<void> {
    await call("task.cancel", { id });
  }

  async dismiss(id: TaskId): Promise<void> {
    await call("task.dismiss", { id });
    const rest = new Map(this.#all);
    rest.delete(id);
    this.#all = rest;
  }
}

export const tasks = new Tasks();

/** "Pull nginx", "Run web", "Back up to …": what a task is about. */
export function taskTitle(task: Task): string {
  const { work } = task;
  switch (work.type) {
    case "pull":
      return `Pull ${work.reference}`;
    case "push":
      return `Push ${work.reference}`;
    case "saveImages":
      return `Save ${work.images.length === 1 ? work.images[0] : `${work.images.length} images`} to ${work.file}`;
    case "loadImages":
      return `Load ${work.file}`;
    case "run":
      return `Run ${work.name ?? work.image}`;
    case "recreate":
      return `Make ${work.name} anew`;
    case "backup":
      return `Back up to ${work.file}`;
    case "verifyBackup":
      return `Check ${work.file}`;
    case "restore":
      return `Restore ${work.file}`;
  }
}
