import type { Problem } from "./generated";
import { ProblemError } from "./problem";

/** Items until either side lets go. One reader. */
export interface Stream<T, Input = never> extends AsyncIterable<T> {
  /** Says something into the stream. In order; what comes after its end is lost. */
  say(input: Input): void;
  /** Ends the stream on both sides; a reader that waits gets the end. */
  close(): void;
}

/** What a transport hands over: items that arrived together, the problem that ended the stream, or its end. */
export type Message<T = unknown> = T[] | { problem: Problem } | null;

/** The other side of an open stream. */
export interface Source {
  /** A batch has been read: the sender, which stops after a few unread ones, may send another. */
  more(): void;
  say(input: unknown): void;
  close(): void;
}

type Ending = { problem: Problem | null };

/**
 * Holds what the page has not read yet. It stays small although nothing here counts: the sender stops after a few
 * batches until `more` is said, and `more` is said only when a batch has been read to its end.
 */
export class ItemStream<T, Input = never> implements Stream<T, Input> {
  #source: Source;
  #batches: T[][] = [];
  #next = 0;
  #ending: Ending | null = null;
  #wake: (() => void) | null = null;

  constructor(connect: (receive: (message: Message<T>) => void) => Source) {
    this.#source = connect((message) => this.#receive(message));
  }

  say(input: Input): void {
    if (!this.#ending) this.#source.say(input);
  }

  close(): void {
    if (!this.#ending) this.#source.close();
    // Even when it had ended by itself: whoever closes wants nothing more, not the rest that waits here.
    this.#batches = [];
    this.#end({ problem: null });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const batch = this.#batches[0];
        if (batch) {
          if (this.#next < batch.length) {
            yield batch[this.#next++] as T;
          } else {
            this.#batches.shift();
            this.#next = 0;
            if (!this.#ending) this.#source.more();
          }
        } else if (this.#ending) {
          if (this.#ending.problem) throw new ProblemError(this.#ending.problem);
          return;
        } else {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
      }
    } finally {
      this.close();
    }
  }

  #receive(message: Message<T>): void {
    if (this.#ending) return;
    if (Array.isArray(message)) {
      this.#batches.push(message);
      this.#wake?.();
    } else {
      this.#end({ problem: message?.problem ?? null });
    }
  }

  #end(ending: Ending): void {
    this.#ending = ending;
    this.#wake?.();
  }
}
