// Sizes and times as the docker command writes them.

const SIZES: Record<string, number> = { b: 0, k: 1, m: 2, g: 3, t: 4 };

/** `512m`, `1.5g`, `64 MB`: powers of 1024. `null` for anything else, and for nothing. */
export function parseSize(text: string): number | null {
  const [, number, unit = "b"] = /^\s*(\d+(?:\.\d+)?)\s*([bkmgt])?i?b?\s*$/i.exec(text) ?? [];
  if (number === undefined) return null;
  return Math.floor(Number(number) * 1024 ** (SIZES[unit.toLowerCase()] ?? 0));
}

/** The shortest that says exactly this. */
export function sizeText(bytes: number): string {
  for (const unit of ["t", "g", "m", "k"]) {
    const size = 1024 ** (SIZES[unit] ?? 0);
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

const TIMES: [string, number][] = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** `30s`, `1m30s`, `500ms`; `null` for anything else, and for nothing. */
export function parseTime(text: string): number | null {
  const trimmed = text.trim();
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(trimmed)) return null;
  let total = 0;
  for (const [, number, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)) {
    total += Number(number) * (TIMES.find(([name]) => name === unit)?.[1] ?? 0);
  }
  return Math.round(total);
}

/** Nothing for 0. */
export function timeText(millis: number): string {
  let rest = millis;
  let text = "";
  for (const [unit, size] of TIMES) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
