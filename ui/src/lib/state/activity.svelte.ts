// The last hour while a page shows it: what is kept, and what comes in live.

import { call, open, problemOf, type EngineHistory, type EngineLoad, type Happening, type Problem, type Sample, type Stream } from "$lib/api";
import { joined } from "$lib/series";
import { whileVisible } from "$lib/visible";

/** What is kept is asked for again as often as something is added to it; this asks no engine. */
const KEPT_MILLIS = 10_000;

/** Live ones between two answers, with room for a slow one. */
const LIVE_SAMPLES = 30;

export class Activity {
  history = $state.raw<EngineHistory | null>(null);
  happenings = $state.raw<Happening[]>([]);
  problem = $state.raw<Problem | null>(null);
  /** What each running container uses now. */
  now = $state.raw<ReadonlyMap<string, Sample>>(new Map());
  #live = $state.raw<Sample[]>([]);

  /** What happened is not asked for where it is not shown. */
  #withHappenings: boolean;

  constructor({ happenings = true }: { happenings?: boolean } = {}) {
    this.#withHappenings = happenings;
  }

  readonly total: Sample[] = $derived(joined(this.history?.total ?? [], this.#live));

  /** Until the returned function is called, and not while the window is hidden. */
  watch(): () => void {
    let stream: Stream<EngineLoad> | null = null;
    // Opened again when it has ended: another engine was chosen, or this one was away.
    const listen = () => {
      if (stream || document.hidden) return;
      const opened = (stream = open("engine.load"));
      void this.#read(opened).finally(() => {
        if (stream === opened) stream = null;
      });
    };
    const leave = () => {
      stream?.close();
      stream = null;
    };
    const onvisibility = () => (document.hidden ? leave() : listen());
    document.addEventListener("visibilitychange", onvisibility);
    const stopAsking = whileVisible(KEPT_MILLIS, async () => {
      listen();
      await this.#ask();
    });
    return () => {
      stopAsking();
      document.removeEventListener("visibilitychange", onvisibility);
      leave();
    };
  }

  async refreshHappenings(): Promise<void> {
    try {
      this.happenings = await call("engine.happenings");
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  async #ask(): Promise<void> {
    try {
      this.history = await call("engine.history");
      this.problem = null;
    } catch (error) {
      this.problem = problemOf(error);
    }
    if (this.#withHappenings) await this.refreshHappenings();
  }

  async #read(stream: Stream<EngineLoad>): Promise<void> {
    this.#live = [];
    this.now = new Map();
    try {
      for await (const load of stream) {
        this.#live = [...this.#live.slice(-LIVE_SAMPLES), load.total];
        this.now = new Map(load.containers.map(({ id, sample }) => [id, sample]));
      }
    } catch {
      // The engine went away, which the page shows by itself.
    }
  }
}
