// What waits in the trash, in words and in order.

import type { Restored, TrashId, TrashItem } from "$lib/api";
import { age, bytes, counted } from "$lib/format";

export type Kind = "all" | TrashId["type"];

const DAY = 24 * 60 * 60 * 1000;

export function keyOf({ type, id }: TrashId): string {
  return `${type} ${id}`;
}

export function visible(items: readonly TrashItem[], kind: Kind, search: string): TrashItem[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return items.filter((item) => {
    if (kind !== "all" && item.id.type !== kind) return false;
    const text = `${item.name}\n${item.image ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export function counts(items: readonly TrashItem[]): Record<Kind, number> {
  const of = (kind: TrashId["type"]) => items.filter(({ id }) => id.type === kind).length;
  return { all: items.length, container: of("container"), image: of("image"), volume: of("volume") };
}

/** `null` while it is not measured. */
export function sizeOf(items: readonly TrashItem[]): number | null {
  return items.some((item) => item.bytes === null) ? null : items.reduce((sum, item) => sum + (item.bytes ?? 0), 0);
}

export function about(item: TrashItem): string {
  switch (item.id.type) {
    case "container":
      return item.image ? `Container of ${item.image}` : "Container";
    case "image":
      if (item.comesBackAs === null) return item.bytes === 0 ? "Image, its layers are used by others" : "Image";
      return item.name.includes("@")
        ? `Image, comes back with its digest, as ${item.comesBackAs}`
        : `Image without a name, comes back as ${item.comesBackAs}`;
    case "volume":
      return "Volume, a place for data";
  }
}

export function deleted(item: TrashItem, now: number): string {
  return `${age(item.at / 1000, now / 1000)} ago`;
}

/** How much of the time is left, 0 to 1, and in words. `kept`: how many days things are. */
export function left(item: TrashItem, now: number, kept: number): { part: number; words: string; soon: boolean } {
  const millis = Math.max(0, item.at + kept * DAY - now);
  const days = Math.ceil(millis / DAY);
  const soon = millis < DAY;
  const words = millis === 0 ? "soon" : soon ? "within a day" : `in ${counted(days, "day")}`;
  return { part: Math.min(1, millis / (kept * DAY)), words, soon };
}

/** "web", "3 containers", "3 things". */
export function named(items: readonly { id: TrashId; name: string }[]): string {
  const [first] = items;
  if (first === undefined) return "nothing";
  if (items.length === 1) return first.name;
  const same = items.every(({ id }) => id.type === first.id.type);
  return counted(items.length, same ? first.id.type : "thing");
}

export function emptied(items: readonly TrashItem[]): string {
  const size = sizeOf(items);
  return size === null || size === 0 ? "Empty the trash" : `Empty, frees ${bytes(size)}`;
}

/** What is to be said of what came back otherwise than it went, beside that it is back. */
export function afterwards({ name, notStarted, lostDigest }: Restored): { text: string; detail: string } | null {
  if (notStarted !== null) return { text: `${name} is back, and could not be started`, detail: notStarted };
  if (lostDigest === null) return null;
  const detail = `The engine has forgotten the digest meanwhile. docker pull ${lostDigest} brings it.`;
  return { text: `${name} is back without its digest`, detail };
}

/** The commands that bring these back. */
export function restoring(items: readonly TrashItem[]): string {
  return items.map((item) => item.restoring).join(" && ");
}

/** Those after which they are gone for good; what uses goes before what is used. */
export function deleting(items: readonly TrashItem[]): string {
  const order: TrashId["type"][] = ["container", "image", "volume"];
  const sorted = [...items].sort((left, right) => order.indexOf(left.id.type) - order.indexOf(right.id.type));
  return sorted.map((item) => item.deleting).join(" && ");
}
