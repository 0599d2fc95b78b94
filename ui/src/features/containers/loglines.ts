// The lines of a log that are kept, where they stand on the page, and which of them match a search.

import type { LogLine } from "$lib/api";
import { plain } from "./ansi";

export const KEEP = 50_000;
export const LINE_HEIGHT = 20;

export type Kept = {
  /** Counts up from the first line ever received: it names a line although earlier ones are dropped. */
  number: number;
  line: LogLine;
  /** Without colours and escapes. */
  text: string;
};

/**
 * The last lines, and the height of everything above each of them. Adding and dropping cost the same however many
 * lines there are, so that a flood costs only what is new.
 */
export class LogLines {
  #lines: Kept[] = [];
  /** The index in `#lines` of the first kept line; what stands before it is cut off now and then. */
  #start = 0;
  /** For each of `#lines`, the rows of all lines before it. */
  #before: number[] = [];
  #rows = 0;
  #columns = Infinity;

  constructor(readonly keep = KEEP) {}

  get length(): number {
    return this.#lines.length - this.#start;
  }

  get height(): number {
    return (this.#rows - (this.#before[this.#start] ?? this.#rows)) * LINE_HEIGHT;
  }

  /** What stood above the first line before it was dropped. */
  get droppedHeight(): number {
    return (this.#before[this.#start] ?? this.#rows) * LINE_HEIGHT;
  }

  at(index: number): Kept | undefined {
    return index < 0 ? undefined : this.#lines[this.#start + index];
  }

  top(index: number): number {
    const first = this.#before[this.#start] ?? 0;
    return ((this.#before[this.#start + index] ?? this.#rows) - first) * LINE_HEIGHT;
  }

  add(kept: Kept): void {
    this.#lines.push(kept);
    this.#before.push(this.#rows);
    this.#rows += rowsOf(kept.text, this.#columns);
    if (this.length > this.keep) this.#drop(this.#start + 1);
  }

  /** Drops every line whose number is smaller. */
  dropBefore(number: number): void {
    let start = this.#start;
    while (start < this.#lines.length && (this.#lines[start]?.number ?? number) < number) start += 1;
    this.#drop(start);
  }

  clear(): void {
    this.#lines = [];
    this.#before = [];
    this.#start = 0;
    this.#rows = 0;
  }

  /** How many characters fit in a row; `Infinity` without wrapping. */
  wrapAt(columns: number): void {
    if (columns === this.#columns) return;
    this.#columns = columns;
    this.#rows = 0;
    this.#before = this.#lines.map(({ text }) => {
      const before = this.#rows;
      this.#rows += rowsOf(text, columns);
      return before;
    });
  }

  /** The line that covers this height from the top. */
  indexAt(y: number): number {
    let low = 0;
    let high = Math.max(0, this.length - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.top(middle) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  indexOf(number: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.at(middle)?.number ?? Infinity) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  *[Symbol.iterator](): Generator<Kept> {
    for (let index = this.#start; index < this.#lines.length; index++) yield this.#lines[index] as Kept;
  }

  #drop(start: number): void {
    this.#start = start;
    if (this.#start <= this.keep) return;
    this.#lines = this.#lines.slice(this.#start);
    this.#before = this.#before.slice(this.#start);
    this.#start = 0;
  }
}

/** Characters of a fixed width break wherever the row ends, so that rows can be counted without drawing them. */
export function rowsOf(text: string, columns: number): number {
  if (text.length * 2 <= columns) return 1;
  return Math.max(1, Math.ceil(columnsOf(text) / columns));
}

/** Wide characters (Chinese, emoji) take two columns, a tab goes on to the next multiple of 8. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 9) columns += 8 - (columns % 8);
    else columns += code >= 0x1100 && isWide(code) ? 2 : 1;
  }
  return columns;
}

function isWide(code: number): boolean {
  return (
    code <= 0x115f ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60)
  );
}

export function keptOf(number: number, line: LogLine): Kept {
  return { number, line, text: plain(line.text) };
}

/** Where a search is found in a line, as pairs of start and end. Capital letters make no difference. */
export function matchesIn(text: string, search: string): [number, number][] {
  const found: [number, number][] = [];
  const needle = search.toLowerCase();
  if (needle === "") return found;
  const hay = text.toLowerCase();
  // A few letters change their length in lower case; then the places would not fit the text.
  if (hay.length !== text.length) return text.includes(search) ? places(text, search) : found;
  return places(hay, needle);
}

function places(hay: string, needle: string): [number, number][] {
  const found: [number, number][] = [];
  for (let at = hay.indexOf(needle); at >= 0; at = hay.indexOf(needle, at + needle.length)) {
    found.push([at, at + needle.length]);
  }
  return found;
}

/** The matches of one search, kept up to date as lines come and go. A match is a line and a place in it. */
export class Matches {
  #list: { number: number; nth: number }[] = [];
  #start = 0;

  constructor(readonly search: string) {}

  get count(): number {
    return this.#list.length - this.#start;
  }

  at(index: number): { number: number; nth: number } | undefined {
    return this.#list[this.#start + index];
  }

  /** How many there are in the line. */
  add(kept: Kept): number {
    const found = matchesIn(kept.text, this.search).length;
    for (let nth = 0; nth < found; nth++) this.#list.push({ number: kept.number, nth });
    return found;
  }

  /** Returns how many matches went. */
  dropBefore(number: number): number {
    const start = this.#start;
    while (this.#start < this.#list.length && (this.#list[this.#start]?.number ?? number) < number) this.#start += 1;
    const gone = this.#start - start;
    if (this.#start > KEEP) {
      this.#list = this.#list.slice(this.#start);
      this.#start = 0;
    }
    return gone;
  }

  /** The first match at or after a line; where a search begins to walk. */
  from(number: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.at(middle)?.number ?? Infinity) < number) low = middle + 1;
      else high = middle;
    }
    return low === this.count ? 0 : low;
  }
}

/** Cuts coloured parts at the edges of the matches. */
export function highlight<S extends { text: string; style: string }>(
  parts: S[],
  found: [number, number][],
): { text: string; style: string; match: number | null }[] {
  if (found.length === 0) return parts.map(({ text, style }) => ({ text, style, match: null }));
  const out: { text: string; style: string; match: number | null }[] = [];
  let at = 0;
  let nth = 0;
  for (const { text, style } of parts) {
    let from = 0;
    while (from < text.length) {
      while (nth < found.length && (found[nth]?.[1] ?? 0) <= at + from) nth += 1;
      const [start, end] = found[nth] ?? [Infinity, Infinity];
      const inside = start <= at + from;
      const to = Math.min(text.length, (inside ? end : start) - at);
      out.push({ text: text.slice(from, to), style, match: inside ? nth : null });
      from = to;
    }
    at += text.length;
  }
  return out;
}

/** 14:02:07.118, in the person's own time zone. */
export function timeOf(millis: number | null): string {
  if (millis === null) return "";
  const time = new Date(millis);
  const two = (n: number) => String(n).padStart(2, "0");
  const ms = String(time.getMilliseconds()).padStart(3, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${ms}`;
}
