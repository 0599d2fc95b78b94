// The terminals of one container: which are open, which one is shown, and what can be opened. They live in the app; this
// finds them again.

import { call, problemOf, type Problem, type Shells, type Terminal, type TerminalKind } from "$lib/api";
import { tasks } from "$lib/state/tasks.svelte";
import { OWN_USER, shellKind } from "./terminals";

export const COLUMNS = 80;
export const ROWS = 24;

export class OpenTerminals {
  list = $state.raw<Terminal[]>([]);
  shells = $state.raw<Shells | null>(null);
  /** Of a new terminal. */
  shell = $state("");
  user = $state(OWN_USER);
  size = $state({ columns: COLUMNS, rows: ROWS });
  /** The place of a debug shell that is not open yet. */
  choosing = $state(false);
  problem = $state.raw<Problem | null>(null);
  working = $state<"" | "pull" | "open">("");
  read = $state(false);
  /** How those ended that did. */
  ended = $state.raw<Record<number, number | null>>({});

  #shown = $state<number | null>(null);
  readonly current = $derived(this.choosing ? null : (this.list.find(({ id }) => id === this.#shown) ?? null));
  readonly noShell = $derived(this.shells !== null && this.shells.shells.length === 0);

  #container: string;

  /** Of the container with this id. */
  constructor(container: string) {
    this.#container = container;
  }

  async begin(running: boolean): Promise<void> {
    this.problem = null;
    try {
      this.list = await call("terminal.list", { id: this.#container });
      this.#shown = this.list.at(-1)?.id ?? null;
      if (running) {
        this.shells = await call("terminal.choices", { id: this.#container });
        this.shell = this.shells.shells[0] ?? "";
        if (this.list.length === 0) {
          if (this.shell === "") this.choosing = true;
          else await this.openShell();
        }
      }
    } catch (error) {
      this.problem = problemOf(error);
    }
    this.read = true;
  }

  openShell(program = this.shell): Promise<void> {
    return this.open(shellKind(program, this.user));
  }

  async open(kind: TerminalKind): Promise<void> {
    this.working = "open";
    this.problem = null;
    try {
      const terminal = await call("terminal.open", { container: this.#container, kind, ...this.size });
      this.list = [...this.list, terminal];
      this.show(terminal.id);
    } catch (error) {
      this.problem = problemOf(error);
    }
    this.working = "";
  }

  /** Pulls the image before, unless it is here. */
  async openDebug(image: string, here: boolean): Promise<void> {
    if (!here && !(await this.#pull(image))) return;
    await this.open({ type: "debug", image });
  }

  async #pull(reference: string): Promise<boolean> {
    this.working = "pull";
    this.problem = null;
    let pulled = false;
    try {
      const outcome = await tasks.ended(await call("image.pull", { reference }));
      pulled = outcome.type === "done";
      if (outcome.type === "failed") this.problem = outcome.problem;
    } catch (error) {
      this.problem = problemOf(error);
    }
    this.working = "";
    return pulled;
  }

  async close(terminal: Terminal): Promise<void> {
    const at = this.list.indexOf(terminal);
    this.list = this.list.filter((one) => one !== terminal);
    if (this.#shown === terminal.id) this.#shown = (this.list[at] ?? this.list[at - 1])?.id ?? null;
    if (this.list.length === 0 && this.noShell) this.choosing = true;
    try {
      await call("terminal.close", { id: terminal.id });
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  async again(terminal: Terminal): Promise<void> {
    await Promise.all([this.close(terminal), this.open(terminal.kind)]);
  }

  show(id: number): void {
    this.choosing = false;
    this.problem = null;
    this.#shown = id;
  }

  /** The one beside the one that is shown, around the ends. */
  showNext(step: 1 | -1): void {
    const at = this.list.findIndex(({ id }) => id === this.#shown);
    const next = this.list[(at + step + this.list.length) % this.list.length];
    if (next) this.show(next.id);
  }

  choose(): void {
    this.choosing = true;
    this.problem = null;
  }

  hasEnded(id: number, code: number | null): void {
    this.ended = { ...this.ended, [id]: code };
  }
}
