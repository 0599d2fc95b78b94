// Which row draws which line. Rows are used again: a flood replaces every line in view twenty times a second, and to
// throw rows away and make new ones costs frames.

import type { ShownLine } from "$lib/api";

/** A line and the row that draws it. */
export type DrawnLine = ShownLine & { row: number };

/**
 * Lines that stay in view keep their rows, others get those that have become free. What has not changed is the same
 * object as before, so that nothing of it is drawn again.
 */
export function drawn(before: DrawnLine[], lines: ShownLine[]): DrawnLine[] {
  const known = new Map(before.map((line) => [line.number, line]));
  const numbers = new Set(lines.map(({ number }) => number));
  const free = before.filter(({ number }) => !numbers.has(number)).map(({ row }) => row);
  let fresh = Math.max(-1, ...before.map(({ row }) => row));
  return lines.map((line) => {
    const same = known.get(line.number);
    if (same && equal(same, line)) return same;
    return { ...line, row: same?.row ?? free.shift() ?? (fresh += 1) };
  });
}

function equal(one: ShownLine, other: ShownLine): boolean {
  return (
    one.text === other.text &&
    one.of === other.of &&
    one.source === other.source &&
    one.millis === other.millis &&
    one.level === other.level &&
    one.length === other.length &&
    one.found.length === other.found.length &&
    one.found.every(([from, to], at) => from === other.found[at]?.[0] && to === other.found[at]?.[1])
  );
}
