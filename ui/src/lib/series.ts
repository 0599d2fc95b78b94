// Samples over time as columns that a chart draws: pure, for every page with a chart.

import type { Sample } from "$lib/api";

/** Times in milliseconds; `null` is where the line breaks. */
export type Columns = { times: number[]; values: (number | null)[][] };

/** Samples are kept every ten seconds. Where more than this lies between two, nobody knows what was. */
const GAP_MILLIS = 25_000;

/** One column for each `pick`, of the samples from a moment on. */
export function columns(samples: readonly Sample[], from: number, picks: ((sample: Sample) => number)[]): Columns {
  const times: number[] = [];
  const values: (number | null)[][] = picks.map(() => []);
  let last: number | null = null;
  for (const sample of samples) {
    if (sample.at < from) continue;
    if (last !== null && sample.at - last > GAP_MILLIS) {
      times.push(last + 1);
      for (const column of values) column.push(null);
    }
    times.push(sample.at);
    picks.forEach((pick, index) => values[index]?.push(pick(sample)));
    last = sample.at;
  }
  return { times, values };
}

/** The kept samples with the latest ones behind them, each moment once. */
export function joined(kept: readonly Sample[], live: readonly Sample[]): Sample[] {
  const last = kept.at(-1)?.at ?? 0;
  return [...kept, ...live.filter((sample) => sample.at > last)];
}

/** One row a minute, newest first: what a table shows of an hour. */
export function byMinute(samples: readonly Sample[]): Sample[] {
  const rows = new Map<number, Sample>();
  for (const sample of samples) rows.set(Math.floor(sample.at / 60_000), sample);
  return [...rows.values()].reverse();
}

/** Where the highest value is: its index, or -1 without any. */
export function highest(values: readonly (number | null)[]): number {
  let found = -1;
  values.forEach((value, index) => {
    if (value !== null && (found < 0 || value > (values[found] ?? -Infinity))) found = index;
  });
  return found;
}

/** The nearest moment with a value, by binary search. */
export function nearest(times: readonly number[], at: number): number {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < at) low = middle + 1;
    else high = middle;
  }
  const before = low - 1;
  return before >= 0 && at - (times[before] as number) < (times[low] as number) - at ? before : low;
}

/** "14:02" where the person is. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
