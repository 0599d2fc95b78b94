// "What I clicked": the actions by day, and what a search and a filter leave of them.

import type { Clicked } from "$lib/api";

export type Filter = "all" | "done" | "failed";

export function found(list: Clicked[], filter: Filter, search: string): Clicked[] {
  const wanted = search.trim().toLowerCase();
  return list.filter(
    ({ title, line, failed }) =>
      (filter === "all" || failed === (filter === "failed")) &&
      (wanted === "" || title.toLowerCase().includes(wanted) || line.toLowerCase().includes(wanted)),
  );
}

export type Day = { name: string; actions: Clicked[] };

/** Newest first, as they come. `now` in Unix milliseconds. */
export function byDay(list: Clicked[], now: number = Date.now()): Day[] {
  const days: Day[] = [];
  for (const action of list) {
    const name = dayName(action.atMillis, now);
    const last = days.at(-1);
    if (last?.name === name) last.actions.push(action);
    else days.push({ name, actions: [action] });
  }
  return days;
}

function dayName(at: number, now: number): string {
  const day = (millis: number) => new Date(millis).toDateString();
  if (day(at) === day(now)) return "Today";
  if (day(at) === day(now - 24 * 60 * 60 * 1000)) return "Yesterday";
  return new Date(at).toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" });
}

export function clock(millis: number): string {
  return new Date(millis).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}
