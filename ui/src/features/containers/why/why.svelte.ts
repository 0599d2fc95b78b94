// Why a container stopped or is not reached: one story for its page, and a few words for each in the list.

import { SvelteMap } from "svelte/reactivity";
import { call, host, type ContainerSummary, type Remedy, type Sample, type Why, type WhyLine } from "$lib/api";
import { dialogs } from "$lib/state/dialogs.svelte";
import { go } from "$lib/state/route.svelte";
import { toasts } from "$lib/state/toasts.svelte";
import { act } from "../actions.svelte";
import { isAboutMemory } from "./remedies";

/** A server needs a moment until it listens: after these it is looked at again. */
const LOOKS_MILLIS = [1500, 5000, 15_000];

/** How many are asked about at once, and how long it is waited for others. */
const AT_ONCE = 50;
const TOGETHER_MILLIS = 60;

/** The story of one container. */
export class Story {
  value = $state.raw<Why | null>(null);
  /** Of its last run, where its memory is what the story is about. */
  samples = $state.raw<Sample[]>([]);
  /** Nothing is known yet. */
  looking = $state(true);

  #id: string;
  #timers: number[] = [];
  #asked = 0;

  constructor(id: string) {
    this.#id = id;
  }

  /** Called anew when its state changes. */
  look(up: boolean): void {
    this.close();
    void this.#ask();
    if (up) this.#timers = LOOKS_MILLIS.map((after) => window.setTimeout(() => void this.#ask(), after));
  }

  close(): void {
    for (const timer of this.#timers) window.clearTimeout(timer);
    this.#timers = [];
    this.#asked += 1;
  }

  async #ask(): Promise<void> {
    const asked = this.#asked;
    try {
      const why = await call("container.why", { id: this.#id });
      const samples = why && isAboutMemory(why.cause) ? await this.#samples() : [];
      if (asked !== this.#asked) return;
      this.samples = samples;
      this.value = why;
    } catch {
      // The page says what is wrong with the engine; a story of before may be no longer true.
      if (asked === this.#asked) this.value = null;
    }
    if (asked === this.#asked) this.looking = false;
  }

  /** The story is complete without them. */
  async #samples(): Promise<Sample[]> {
    return call("container.history", { id: this.#id }).then(
      ({ samples }) => samples,
      () => [],
    );
  }
}

/** A line for each stopped container that is in view. */
class Reasons {
  lines = new SvelteMap<string, WhyLine>();

  #wanted = new Map<string, ContainerSummary>();
  #timer = 0;
  #asking = false;

  /** A row shows it. Rows come into view together: they are asked about together. */
  want(container: ContainerSummary): void {
    this.#wanted.set(container.id, container);
    if (this.#timer === 0 && !this.#asking) this.#timer = window.setTimeout(() => void this.#ask(), TOGETHER_MILLIS);
  }

  async #ask(): Promise<void> {
    this.#timer = 0;
    this.#asking = true;
    const ids = [...this.#wanted.keys()].slice(0, AT_ONCE);
    for (const id of ids) this.#wanted.delete(id);
    try {
      const found = new Map((await call("container.why_lines", { ids })).map((line) => [line.id, line]));
      for (const id of ids) {
        const line = found.get(id);
        if (line) this.lines.set(id, line);
        else this.lines.delete(id);
      }
    } catch {
      // The exit code's own words stay.
    } finally {
      this.#asking = false;
      if (this.#wanted.size > 0) this.#timer = window.setTimeout(() => void this.#ask(), TOGETHER_MILLIS);
    }
  }
}

export const reasons = new Reasons();

export async function follow(remedy: Remedy, container: ContainerSummary): Promise<void> {
  switch (remedy.type) {
    case "runAgain":
      try {
        dialogs.edit(await call("container.made_of", { id: container.id, copy: false }), remedy.spec);
      } catch (error) {
        toasts.problem(error);
      }
      return;
    case "start":
      return act([container], "start");
    case "stop":
      return act([container], "stop");
    case "showLogs":
      return go("containers", container.id, "logs");
    case "resources":
      return go("settings", "resources");
    case "freeSpace":
      return dialogs.reclaim();
    case "copy":
      return host.copyText(remedy.text);
  }
}
