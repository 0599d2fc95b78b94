// How long and how much the trash keeps: what is offered, and what was set in the file by hand.

import { counted } from "$lib/format";

const DAYS = [1, 3, 7, 14, 30, 90];
const GB = 2 ** 30;
const SIZES = [1, 5, 10, 20, 50, 100].map((size) => size * GB);

function withPresent(offered: readonly number[], present: number): number[] {
  return [...new Set([...offered, present])].sort((left, right) => left - right);
}

export function dayOptions(present: number): { value: number; label: string }[] {
  return withPresent(DAYS, present).map((value) => ({ value, label: counted(value, "day") }));
}

export function sizeOptions(present: number): { value: number; label: string }[] {
  return withPresent(SIZES, present).map((value) => ({ value, label: `${Math.round((value / GB) * 10) / 10} GB` }));
}
