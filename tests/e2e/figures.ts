// What the benches of the page share: what they hand to `cargo xtask bench`, and how they look at the page.

import { writeFileSync } from "node:fs";

import { type Page, expect } from "./testbed";

/** How often each figure is taken. */
export const RUNS = Number(process.env.WHERRY_RUNS ?? 1);

/** Values by name, one a run. */
export class Figures {
  #values: Record<string, number[]> = {};

  add(name: string, value: number): void {
    (this.#values[name] ??= []).push(value);
  }

  /** To the file that was asked for, or to whoever ran this by hand. */
  write(): void {
    const text = JSON.stringify(this.#values);
    if (process.env.WHERRY_FIGURES) writeFileSync(process.env.WHERRY_FIGURES, text);
    else console.log(text);
  }
}

/** As in a list of so many: 0.5 is the middle one, 1 the last. */
export function quantile(values: number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN;
}

export async function openTab(page: Page, container: string, tab: string): Promise<void> {
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name: container }).getByRole("link", { name: container, exact: true }).click();
  await expect(page.getByRole("heading", { name: container })).toBeVisible();
  await page.getByRole("tab", { name: tab }).click();
}
