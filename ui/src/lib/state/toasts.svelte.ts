// Short messages at the bottom of the window.

import { problemOf, type Problem } from "$lib/api";
import { explanation } from "$lib/problem";

/** `undoes`: Ctrl Z does the same while it is shown. */
export type ToastAction = { label: string; run: () => void; undoes?: boolean };

const STAYS_MILLIS = 6000;

export type Toast = {
  id: number;
  kind: "ok" | "info" | "bad" | "busy";
  text: string;
  detail: string | null;
  action: ToastAction | null;
  /** A toast that reports trouble stays until it is closed. */
  stays: boolean;
  /** How long another one is shown. */
  millis: number;
};

type Options = { kind?: Toast["kind"]; detail?: string | null; action?: ToastAction | null; stays?: boolean; millis?: number };

class Toasts {
  list = $state<Toast[]>([]);
  #next = 1;
  /** What is left of the time of those that are not drawn, or pointed at. */
  readonly #left = new Map<number, number>();

  show(text: string, { kind = "ok", detail = null, action = null, stays = false, millis = STAYS_MILLIS }: Options = {}): number {
    const id = this.#next++;
    this.list.push({ id, kind, text, detail, action, stays, millis });
    return id;
  }

  /** For as long as something takes. */
  async during<T>(text: string, work: Promise<T>, detail: string | null = null): Promise<T> {
    const id = this.show(text, { kind: "busy", detail, stays: true });
    try {
      return await work;
    } finally {
      this.close(id);
    }
  }

  /** For anything thrown. The action defaults to none: a page that can act on the code shows the problem itself. */
  problem(thrown: unknown, action: ToastAction | null = null): number {
    return this.trouble(problemOf(thrown), action);
  }

  trouble(problem: Problem, action: ToastAction | null = null): number {
    return this.show(problem.message, { kind: "bad", detail: explanation(problem), action, stays: true });
  }

  /** From now on its time runs; the result stops it. Drawn elsewhere, it goes on with what is left. */
  run({ id, stays, millis }: Toast): () => void {
    if (stays) return () => {};
    const left = this.#left.get(id) ?? millis;
    const began = performance.now();
    const timer = setTimeout(() => this.close(id), left);
    return () => {
      clearTimeout(timer);
      if (this.list.some((toast) => toast.id === id)) this.#left.set(id, left - (performance.now() - began));
    };
  }

  close(id: number): void {
    this.#left.delete(id);
    const at = this.list.findIndex((toast) => toast.id === id);
    if (at >= 0) this.list.splice(at, 1);
  }
}

export const toasts = new Toasts();
