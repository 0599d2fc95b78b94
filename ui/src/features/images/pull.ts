// A pull in words and parts, decided apart from how it is drawn.

import type { LayerProgress, PullProgress } from "$lib/api";
import { bytes } from "$lib/format";

/** Between 0 and 1; `null` while no size is known. */
export function fraction(done: number, total: number): number | null {
  return total > 0 ? Math.min(1, done / total) : null;
}

export function layerFraction(layer: LayerProgress): number {
  if (layer.stage === "done" || layer.stage === "alreadyHere") return 1;
  if (layer.stage === "waiting" || layer.stage === "retrying") return 0;
  return fraction(layer.doneBytes, layer.totalBytes) ?? 0;
}

export function layerWords(layer: LayerProgress): string {
  const { stage, doneBytes, totalBytes } = layer;
  switch (stage) {
    case "waiting":
      return totalBytes > 0 ? `Waiting, ${bytes(totalBytes)}` : "Waiting";
    case "retrying":
      return "The registry broke off, trying again";
    case "downloading":
      return totalBytes > 0 ? `${bytes(doneBytes)} of ${bytes(totalBytes)}` : bytes(doneBytes);
    case "unpacking": {
      const part = fraction(doneBytes, totalBytes);
      return part === null || part === 0 ? "Unpacking" : `Unpacking ${Math.round(part * 100)}%`;
    }
    case "done":
      return totalBytes > 0 ? `Done, ${bytes(totalBytes)}` : "Done";
    case "alreadyHere":
      return "Already here";
  }
}

/** "26.4 MB/s · about 17 s left"; nothing while there is no rate to speak of. */
export function rateWords(progress: PullProgress): string {
  if (progress.bytesPerSecond < 1) return "";
  const rate = `${bytes(progress.bytesPerSecond)}/s`;
  const left = progress.totalBytes - progress.doneBytes;
  if (progress.totalBytes === 0 || left <= 0) return rate;
  return `${rate} · about ${duration(left / progress.bytesPerSecond)} left`;
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
