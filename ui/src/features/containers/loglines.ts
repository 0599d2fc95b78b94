// What a log shows, decided apart from how it is drawn and from where its lines come.

import type { LogLevel, LogOpen, LogState } from "$lib/api";

export const LINE_HEIGHT = 20;

/** Browsers draw no element that is much higher than this. */
const HIGHEST = 12_000_000;

/** How much is read at first: what a person can scroll through, and at once there however long the log is. */
export const TAIL = 10_000;

export type Range = "last" | "all" | "quarter" | "hour" | "day" | "between";

export const RANGES: { value: Range; label: string }[] = [
  { value: "last", label: `Last ${TAIL.toLocaleString("en").replaceAll(",", " ")} lines` },
  { value: "quarter", label: "Last 15 min" },
  { value: "hour", label: "Last hour" },
  { value: "day", label: "Last 24 hours" },
  { value: "between", label: "From … to" },
  { value: "all", label: "All lines" },
];

const MINUTES: Partial<Record<Range, number>> = { quarter: 15, hour: 60, day: 1440 };

/** `from` and `to` as `<input type="datetime-local">` has them. */
export function openOf(ids: string[], range: Range, from: string, to: string, now: number): LogOpen {
  const minutes = MINUTES[range];
  if (minutes !== undefined) return { ids, tail: null, since: now - minutes * 60_000, until: null };
  if (range === "between") return { ids, tail: null, since: millisOf(from), until: millisOf(to) };
  return { ids, tail: range === "all" ? null : TAIL, since: null, until: null };
}

export function millisOf(text: string): number | null {
  const millis = Date.parse(text);
  return Number.isNaN(millis) ? null : millis;
}

export const NOTHING: LogState = {
  shown: 0,
  kept: 0,
  dropped: 0,
  matches: 0,
  searching: false,
  ended: false,
  read: false,
};

/** How high a line counts in the scroll bar: less than it is drawn when there are very many. */
export function rowOf(lines: number): number {
  return Math.min(LINE_HEIGHT, HIGHEST / Math.max(1, lines));
}

/** The first line in view, of so many, scrolled so far. */
export function topLine(scrolled: number, lines: number): number {
  return Math.max(0, Math.min(lines - 1, Math.floor(scrolled / rowOf(lines))));
}

export function matchWords(state: LogState, nth: number | null): string {
  if (state.matches === 0) return state.searching ? "Looking" : "None";
  const many = `${state.matches.toLocaleString("en").replaceAll(",", " ")}${state.searching ? "+" : ""}`;
  return nth === null ? many : `${nth} of ${many}`;
}

export function lineWords(state: LogState): string {
  const number = (count: number) => count.toLocaleString("en").replaceAll(",", " ");
  const lines = `${number(state.kept)} ${state.kept === 1 ? "line" : "lines"}`;
  const shown = state.shown === state.kept ? "" : `, ${number(state.shown)} shown`;
  return `${lines}${shown}${state.dropped > 0 ? ", older ones are not kept" : ""}`;
}

export function levelWord(level: LogLevel): string {
  switch (level) {
    case "debug":
      return "DEBUG";
    case "info":
      return "INFO";
    case "warning":
      return "WARN";
    case "error":
      return "ERROR";
  }
}

/** A line of JSON, spread out; `null` when it is none. */
export function unfolded(text: string): string | null {
  const begin = text.indexOf("{");
  if (begin < 0 || !text.trimEnd().endsWith("}")) return null;
  try {
    const value: unknown = JSON.parse(text.slice(begin));
    return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : null;
  } catch {
    return null;
  }
}

/** Cheap, for every line that is drawn. */
export function mayUnfold(text: string): boolean {
  const plain = text.trimEnd();
  return plain.endsWith("}") && /^[^{]{0,80}\{\s*"/.test(plain);
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
