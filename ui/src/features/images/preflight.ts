// What a pull will cost, in words: one line for each thing that was looked at.

import type { BeforePull, RemoteImage } from "$lib/api";
import { bytes, capacity, counted } from "$lib/format";

export type Check = { kind: "ok" | "info" | "warn" | "bad"; title: string; detail: string };

/** Unpacked, an image is about this many times what is downloaded. */
const UNPACKED = 2.6;

export function download(preflight: BeforePull): number {
  if (preflight.isHere) return 0;
  return Math.max(0, (preflight.image?.bytes ?? 0) - preflight.bytesHere);
}

/** "3 of 11 layers already here, 15 MB saved"; `null` when none is. */
export function savedWords(preflight: BeforePull): string | null {
  const layers = preflight.image?.layers.length ?? 0;
  if (preflight.isHere || preflight.layersHere === 0 || layers === 0) return null;
  return `${preflight.layersHere} of ${counted(layers, "layer")} already here, ${bytes(preflight.bytesHere)} saved`;
}

function fit(image: RemoteImage, platform: string, engine: string): Check {
  const slow = "It runs slowly or not at all.";
  if (!image.fits) {
    const others = `The registry has it for ${image.platforms.slice(0, 4).join(", ")}.`;
    // One that was asked for by its platform is that or none.
    return { kind: "bad", title: `Not made for ${platform}`, detail: platform === engine ? `${others} ${slow}` : others };
  }
  if (isSamePlatform(image.platform, engine)) {
    return { kind: "ok", title: "Made for this engine", detail: `${image.platform}, nothing to emulate` };
  }
  // Another one was asked for.
  return { kind: "warn", title: `Made for ${image.platform}`, detail: `This engine is ${engine}. ${slow}` };
}

/** But for the variant, as "v8" in "linux/arm64/v8". */
export function isSamePlatform(one: string, other: string): boolean {
  const [first, second] = [one.split("/"), other.split("/")];
  return first[0] === second[0] && first[1] === second[1];
}

export function checks(preflight: BeforePull): Check[] {
  const { image, platform, enginePlatform: engine, diskFree, limit, user } = preflight;
  const found: Check[] = [];
  if (image) {
    if (preflight.isHere) {
      found.push({ kind: "ok", title: "It is here already", detail: "The registry has nothing newer under this name." });
    } else if (preflight.olderIsHere) {
      found.push({ kind: "info", title: "A newer one than yours", detail: "Containers keep the one they were made from." });
    }
    found.push(fit(image, platform, engine));
    if (diskFree !== null && !preflight.isHere) {
      const needed = download(preflight) * UNPACKED;
      const title = `About ${bytes(needed)} on disk, ${capacity(diskFree)} free`;
      if (needed > diskFree) found.push({ kind: "bad", title, detail: "It does not fit. Remove images that are not used first." });
      else if (needed > diskFree * 0.8) found.push({ kind: "warn", title, detail: "After it, the disk is nearly full." });
      else found.push({ kind: "ok", title, detail: "It fits." });
    }
  }
  if (limit) {
    const title = `${limit.left} of ${limit.allowed} Hub pulls left`;
    const hours = Math.round(limit.windowSeconds / 3600);
    const as = user === null ? "Those who sign in get more." : `Signed in${user === "" ? "" : ` as ${user}`}.`;
    const detail = `${hours > 0 ? `For every ${counted(hours, "hour")}. ` : ""}${as}`;
    found.push({ kind: limit.left === 0 ? "bad" : limit.left < limit.allowed / 10 ? "warn" : "ok", title, detail });
  } else if (user !== null) {
    found.push({ kind: "ok", title: `Signed in${user === "" ? "" : ` as ${user}`}`, detail: `At ${preflight.registry}` });
  }
  return found;
}

/** Whether a search of Docker Hub can help: a word or two, no address and no tag. */
export function searchable(text: string): boolean {
  const wanted = text.trim();
  return wanted.length > 1 && !/[:@]/.test(wanted) && !/^[^/]*[.][^/]*\//.test(wanted) && !wanted.startsWith("localhost/");
}

/** A name that can be asked for; half-typed ones cannot. */
export function askable(text: string): boolean {
  return /^[a-z0-9][a-z0-9._\-/]*(:[0-9]+\/[a-z0-9._\-/]+)?(:[\w][\w.-]*)?(@sha256:[0-9a-f]{64})?$/i.test(text.trim()) && !/[/:]$/.test(text.trim());
}

/** Why this cannot be an image's name yet; `null` when it can. */
export function unfinished(text: string): string | null {
  switch (text.trim().at(-1)) {
    case undefined:
      return "Type the name of an image";
    case ":":
      return "After the colon comes a tag, as in postgres:17";
    case "@":
      return "After the @ comes a digest, as in postgres@sha256:…";
    case "/":
      return "After the slash comes the image's name";
    default:
      return null;
  }
}

/** For whom a tag is, in a word: "yours", "arm64", "Windows"; nothing where that is not known. */
export function platformWord(platforms: string[], engine: string): string {
  // The variant does not matter: linux/arm64/v8 runs on linux/arm64.
  if (platforms.some((platform) => `${platform}/`.startsWith(`${engine}/`))) return "yours";
  const [os, architecture] = platforms[0]?.split("/") ?? [];
  return (os === "windows" ? "Windows" : architecture) ?? "";
}

/** Numbers before words, the newest number first, as far as names tell: 3.13 before 3.9 before latest. */
export function byVersion(a: string, b: string): number {
  const numbers = (text: string) => (/^v?(\d+(?:\.\d+)*)/.exec(text)?.[1] ?? "").split(".").filter(Boolean).map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  if ((left.length > 0) !== (right.length > 0)) return left.length > 0 ? -1 : 1;
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const difference = (right[at] ?? -1) - (left[at] ?? -1);
    if (difference !== 0) return difference;
  }
  return a.length - b.length || a.localeCompare(b);
}
