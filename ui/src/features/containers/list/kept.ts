// How the person likes the list: kept by the window, because no engine and no other computer has to know.

import { COLUMNS, SHOWN_AT_FIRST, type ColumnId } from "./listing";

const KEY = "wherry.containers";

export type Kept = { columns: ColumnId[]; grouping: "project" | "flat" };

export function read(): Kept {
  const kept: Kept = { columns: SHOWN_AT_FIRST, grouping: "project" };
  let stored: unknown;
  try {
    stored = JSON.parse(localStorage.getItem(KEY) ?? "null");
  } catch {
    return kept;
  }
  if (typeof stored !== "object" || stored === null) return kept;
  const { columns, grouping } = stored as Partial<Record<keyof Kept, unknown>>;
  if (Array.isArray(columns)) kept.columns = COLUMNS.map(({ id }) => id).filter((id) => columns.includes(id));
  if (grouping === "flat") kept.grouping = "flat";
  return kept;
}

export function write(kept: Kept): void {
  localStorage.setItem(KEY, JSON.stringify(kept));
}
