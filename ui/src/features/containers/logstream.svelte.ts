// A log that is open: what it says of itself, the lines in view, and what is wished of it. The lines themselves are kept
// and searched by the app.

import {
  open,
  problemOf,
  type LogLevel,
  type LogNews,
  type LogOpen,
  type LogState,
  type LogWish,
  type Problem,
  type Stream,
} from "$lib/api";
import { drawn, type DrawnLine } from "./drawnlines";
import { NOTHING } from "./loglines";

const RETRY_MILLIS = 2000;

export type Look = { search: string; regex: boolean; matchingOnly: boolean; levels: LogLevel[] };

export class OpenLog {
  state = $state.raw<LogState>(NOTHING);
  lines = $state.raw<DrawnLine[]>([]);
  /** Where the first of `lines` is in what is shown. */
  from = $state(0);
  problem = $state.raw<Problem | null>(null);
  badPattern = $state<string | null>(null);
  /** The match the person stands at. */
  found = $state.raw<{ number: number; nth: number } | null>(null);

  #stream: Stream<LogNews, LogWish> | null = null;
  #timer = 0;
  #window: { from: number | null; count: number } = { from: null, count: 50 };
  #look: Look = { search: "", regex: false, matchingOnly: false, levels: [] };
  #onfound: (position: number) => void;
  #texts: ((text: string) => void)[] = [];
  #wholes: ((text: string | null) => void)[] = [];

  /** `onfound` brings a position into view. */
  constructor(onfound: (position: number) => void) {
    this.#onfound = onfound;
  }

  /** Begins anew. The lines in view stay until there are others. */
  async read(wanted: LogOpen): Promise<void> {
    this.close();
    const stream = open("container.log", wanted);
    this.#stream = stream;
    this.problem = null;
    this.found = null;
    stream.say({ type: "look", ...this.#look });
    stream.say({ type: "window", ...this.#window });
    try {
      for await (const news of stream) this.#take(news);
    } catch (error) {
      if (this.#stream !== stream) return;
      this.problem = problemOf(error);
      if (this.problem.code !== "notFound") this.#timer = window.setTimeout(() => void this.read(wanted), RETRY_MILLIS);
    }
  }

  close(): void {
    const stream = this.#stream;
    this.#stream = null;
    window.clearTimeout(this.#timer);
    this.#texts = [];
    for (const give of this.#wholes) give(null);
    this.#wholes = [];
    stream?.close();
  }

  /** What is in view. `null`: the end. */
  show(from: number | null, count: number): void {
    if (this.#window.from === from && this.#window.count === count) return;
    this.#window = { from, count };
    this.#stream?.say({ type: "window", from, count });
  }

  look(look: Look): void {
    this.#look = look;
    this.badPattern = null;
    this.found = null;
    this.#stream?.say({ type: "look", ...look });
  }

  step(forward: boolean): void {
    this.#stream?.say({ type: "step", from: this.found?.number ?? null, forward });
  }

  clear(): void {
    this.found = null;
    this.#stream?.say({ type: "clear" });
  }

  text(): Promise<string> {
    return new Promise((resolve) => {
      this.#texts.push(resolve);
      this.#stream?.say({ type: "text" });
    });
  }

  /** All of one line. `null`: it is not kept any more. */
  whole(number: number): Promise<string | null> {
    return new Promise((resolve) => {
      if (!this.#stream) return resolve(null);
      this.#wholes.push(resolve);
      this.#stream.say({ type: "whole", number });
    });
  }

  #take(news: LogNews): void {
    switch (news.type) {
      case "state":
        this.state = news.state;
        return;
      case "lines":
        this.lines = drawn(this.lines, news.lines);
        this.from = news.from;
        return;
      case "found":
        this.found = { number: news.number, nth: news.nth };
        this.#onfound(news.position);
        return;
      case "badPattern":
        this.badPattern = news.why;
        return;
      case "text":
        this.#texts.shift()?.(news.text);
        return;
      case "whole":
        this.#wholes.shift()?.(news.text);
    }
  }
}
