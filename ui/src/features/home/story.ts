// What happened in the engine, in words.

import type { Happening } from "$lib/api";
import { counted } from "$lib/format";

export type Tone = "plain" | "good" | "bad";

export type Line = {
  key: string;
  at: number;
  kind: Happening["what"]["type"];
  tone: Tone;
  /** What it is about, shown in bold: "web". */
  name: string;
  /** The container's page, while it is there. */
  container: string | null;
  /** After the name: "started". */
  words: string;
  /** Before the name: "Pulled". */
  before: string;
};

/** A program that was told to stop ends with one of these. */
const TOLD = new Set([0, 130, 137, 143]);

/** Things that come together within this are one line. */
const TOGETHER_MILLIS = 10_000;

/** By the force that memory ends programs with, and people too. */
const KILLED = 137;

/** The last end of each container that was killed. Whether its memory had run out, an engine does not always say. */
export function kills(happenings: readonly Happening[]): Happening[] {
  const last = new Map<string, Happening>();
  for (const one of happenings) if (one.what.type === "ended" && !last.has(one.id)) last.set(one.id, one);
  return [...last.values()].filter(({ what }) => what.type === "ended" && what.exitCode === KILLED);
}

/** With what others found out about those. */
export function withMemory(happenings: readonly Happening[], ranOut: readonly Happening[]): Happening[] {
  const known = new Set(ranOut);
  return happenings.map((one) => (known.has(one) ? { ...one, what: { type: "outOfMemory" } } : one));
}

/** An image that came out of a file is known by its id alone; `called` is its name, while it has one. */
export function withNames(happenings: readonly Happening[], called: (id: string) => string | undefined): Happening[] {
  return happenings.map((one) => (one.what.type === "imageLoaded" ? { ...one, name: called(one.id) ?? one.name } : one));
}

/**
 * Latest first, as given. The same thing again and again is said once with how often, and a container that ended and
 * was removed at once, as with `--rm`, is one line.
 */
export function story(happenings: readonly Happening[], isHere: (id: string) => boolean, most: number): Line[] {
  const lines: (Line & { times: number; single: string })[] = [];
  const removed = new Map<string, number>();
  for (const [index, happening] of happenings.entries()) {
    const { id, at, what, name } = happening;
    if (what.type === "imageTagged") continue;
    if (what.type === "removed") removed.set(id, at);
    const goneAt = removed.get(id);
    if (what.type === "ended" && TOLD.has(what.exitCode) && goneAt !== undefined && goneAt - at < TOGETHER_MILLIS) continue;
    const { before, words, tone } = said(happening);
    const last = lines.at(-1);
    const again = lines.slice(-3).find((line) => line.name === name && line.single === words && line.before === before);
    if (again && last && last.at - at < 10 * TOGETHER_MILLIS) {
      again.times += 1;
      again.words = `${words}, ${counted(again.times, "time")}`;
      continue;
    }
    if (lines.length === most) break;
    lines.push({
      key: `${at} ${index}`,
      at,
      kind: what.type,
      tone,
      name,
      container: !what.type.startsWith("image") && isHere(id) ? id : null,
      words,
      before,
      times: 1,
      single: words,
    });
  }
  return lines.map(({ times: _, single: __, ...line }) => line);
}

function said({ what }: Happening): { before: string; words: string; tone: Tone } {
  const after = (words: string, tone: Tone = "plain") => ({ before: "", words, tone });
  const before = (words: string) => ({ before: words, words: "", tone: "plain" as const });
  switch (what.type) {
    case "started":
      return after("started");
    case "ended":
      if (what.exitCode === 0) return after("finished");
      if (TOLD.has(what.exitCode)) return after("was stopped");
      return after(`stopped with exit code ${what.exitCode}`, "bad");
    case "outOfMemory":
      return after("ran out of memory", "bad");
    case "paused":
      return after("was paused");
    case "unpaused":
      return after("goes on");
    case "renamed":
      return after(`is the new name of ${what.before}`);
    case "removed":
      return after("was removed");
    case "restored":
      return after("is back");
    case "healthy":
      return after("became healthy", "good");
    case "unhealthy":
      return after("became unhealthy", "bad");
    case "imagePulled":
      return before("Pulled");
    case "imagePushed":
      return before("Pushed");
    case "imageLoaded":
      return before("Loaded");
    case "imageTagged":
      return before("Tagged");
    case "imageRemoved":
      return before("Removed the image");
  }
}
