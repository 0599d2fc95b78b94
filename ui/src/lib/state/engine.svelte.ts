// The engine in use and Wherry's own machine: their state, and starting and stopping.

import { call, problemOf, type EngineChoice, type EngineStatus, type Forward, type Problem, type SpecChange } from "$lib/api";
import { announce } from "./announce.svelte";
import { engineView, engineWords, usesMachine, type EngineView } from "./engineView";
import { onChanged, onEvent } from "./events.svelte";

const NO_CHANGE: SpecChange = { cpus: null, memoryMib: null, diskGib: null, accelerator: null };

class Engine {
  status = $state.raw<EngineStatus | null>(null);
  /** Why the last start, stop or choice did not work, until the next one. */
  problem = $state.raw<Problem | null>(null);
  /** A start or stop was asked for and has not returned. */
  busy = $state(false);

  readonly view: EngineView = $derived(engineView(this.status));
  readonly running = $derived(this.view.type === "running");
  /** Only Wherry's own machine is ours to start and stop. */
  readonly ours = $derived(this.status !== null && usesMachine(this.status));

  /** The ports that Wherry's machine brings to this computer. Another engine's ports are its own business. */
  readonly forwards: Forward[] = $derived(
    this.view.type === "running" && this.view.machine ? (this.status?.machine.forwards ?? []) : [],
  );

  constructor() {
    onChanged(["engine"], () => void this.refresh());
    onEvent((event) => {
      if (event.type === "machine" && this.status) this.#show({ ...this.status, machine: event.status });
    });
  }

  async refresh(): Promise<void> {
    try {
      this.#show(await call("engine.status"));
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  /** Progress comes as events. A failed start is the machine's state, which the pages show. */
  async start(change: Partial<SpecChange> = {}): Promise<void> {
    await this.#act(() => call("machine.start", { ...NO_CHANGE, ...change }));
  }

  async stop(): Promise<void> {
    await this.#act(() => call("machine.stop"));
  }

  /** Containers stand still until the next start. */
  async suspend(): Promise<void> {
    await this.#act(() => call("machine.suspend"));
  }

  async restart(): Promise<void> {
    await this.#act(() => call("machine.restart"));
  }

  /** Only the engine of Wherry's own machine: its containers go on. */
  async restartEngine(): Promise<void> {
    await this.#act(() => call("engine.restart"));
  }

  async choose(choice: EngineChoice): Promise<void> {
    await this.#act(() => call("engine.choose", choice));
  }

  async #act(action: () => Promise<unknown>): Promise<void> {
    this.busy = true;
    this.problem = null;
    try {
      await action();
    } catch (error) {
      this.problem = problemOf(error);
    } finally {
      this.busy = false;
      await this.refresh();
    }
  }

  #show(status: EngineStatus): void {
    const before = this.view.type;
    this.status = status;
    if (before !== "loading" && before !== this.view.type) announce(engineWords(this.view));
  }
}

export const engine = new Engine();
