// One container's log as it comes in: the stream, the lines kept of it, and the search through them.

import { open, problemOf, type LogChunk, type LogLine, type Problem, type Stream } from "$lib/api";
import { KEEP, keptOf, LogLines, Matches, type Kept } from "./loglines";

const TAIL = 1000;
const RETRY_MILLIS = 2000;
/** After an end the engine may still say "running" for a moment; asking at once would end at once. */
const AGAIN_MILLIS = 400;

/** `reading`: nothing has come yet. `ended`: the container stopped, what it printed stays. */
export type LogState = "reading" | "live" | "ended" | "broken";

export class ContainerLog {
  state = $state<LogState>("reading");
  problem = $state.raw<Problem | null>(null);
  /** Grows, at most once a frame, when lines or matches have changed: they themselves are too many to be watched. */
  version = $state(0);
  current = $state(0);

  readonly all = new LogLines();
  #onlyMatching = new LogLines();
  #matches = $state.raw(new Matches(""));
  #onlyMatches = $state(false);

  #id: string;
  #stream: Stream<LogChunk> | null = null;
  #next = 0;
  #lastMillis = 0;
  #frame = 0;
  #timer = 0;

  constructor(id: string) {
    this.#id = id;
  }

  get lines(): LogLines {
    return this.#onlyMatches && this.#matches.search !== "" ? this.#onlyMatching : this.all;
  }

  get matches(): Matches {
    return this.#matches;
  }

  get onlyMatches(): boolean {
    return this.#onlyMatches;
  }

  set onlyMatches(only: boolean) {
    this.#onlyMatches = only;
    this.version += 1;
  }

  /** Reads until the container stops. Called again when it runs again: what was read stays. */
  async read(): Promise<void> {
    this.#stop();
    const stream = open("container.logs", { id: this.#id, tail: TAIL, follow: true });
    this.#stream = stream;
    this.problem = null;
    // A second reading begins with the tail again, of which most is here already.
    const seen = this.#lastMillis;
    try {
      for await (const { lines } of stream) {
        this.#take(lines.filter(({ millis }) => millis === null || millis > seen));
      }
      if (this.#stream === stream) this.state = "ended";
    } catch (error) {
      if (this.#stream !== stream) return;
      this.problem = problemOf(error);
      this.state = "broken";
      if (this.problem.code !== "notFound") this.#timer = window.setTimeout(() => void this.read(), RETRY_MILLIS);
    }
  }

  /** The container runs. A stream that has ended is read again. */
  live(): void {
    if (this.state !== "ended") return;
    this.state = "live";
    this.#timer = window.setTimeout(() => void this.read(), AGAIN_MILLIS);
  }

  close(): void {
    this.#stop();
    cancelAnimationFrame(this.#frame);
  }

  search(text: string): void {
    this.#matches = new Matches(text);
    this.#onlyMatching.clear();
    if (text !== "") for (const kept of this.all) this.#match(kept);
    this.current = 0;
    this.version += 1;
  }

  clear(): void {
    this.all.clear();
    this.search(this.#matches.search);
  }

  wrapAt(columns: number): void {
    this.all.wrapAt(columns);
    this.#onlyMatching.wrapAt(columns);
  }

  text(): string {
    return Array.from(this.lines, ({ text }) => text).join("\n");
  }

  #stop(): void {
    const stream = this.#stream;
    this.#stream = null;
    window.clearTimeout(this.#timer);
    stream?.close();
  }

  #take(lines: LogLine[]): void {
    for (const line of lines) {
      const kept = keptOf(this.#next++, line);
      this.#lastMillis = Math.max(this.#lastMillis, line.millis ?? 0);
      this.all.add(kept);
      this.#match(kept);
    }
    const first = this.#next - KEEP;
    if (first > 0 && this.#matches.search !== "") {
      this.current = Math.max(0, this.current - this.#matches.dropBefore(first));
      this.#onlyMatching.dropBefore(first);
    }
    if (this.state !== "live") this.state = "live";
    if (this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.version += 1;
      });
    }
  }

  #match(kept: Kept): void {
    if (this.#matches.add(kept) > 0) this.#onlyMatching.add(kept);
  }
}
