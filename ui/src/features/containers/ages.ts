import { containers } from "$lib/state/inventory.svelte";
import { whileVisible } from "$lib/visible";

const AGES_MILLIS = 30_000;

/** The engine tells how long something is up only in words, and sends nothing when they get old. */
export function keepAges(): () => void {
  return whileVisible(AGES_MILLIS, () => containers.refresh());
}
