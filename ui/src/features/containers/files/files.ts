// Paths, words and commands of a container's files, without anything that is fetched or drawn.

import { quote } from "shlex";
import type { CommandLine, FileEntry } from "$lib/api";

/** `/app/src` is `/`, `app`, `src`, each with where it leads. */
export function crumbs(path: string): { name: string; path: string }[] {
  const parts = path.split("/").filter((part) => part !== "");
  return [
    { name: "/", path: "/" },
    ...parts.map((name, at) => ({ name, path: `/${parts.slice(0, at + 1).join("/")}` })),
  ];
}

export function join(folder: string, name: string): string {
  return folder === "/" ? `/${name}` : `${folder}/${name}`;
}

export function parent(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** Why this cannot be a file's name, or nothing. */
export function nameWrong(name: string, taken: readonly string[]): string | null {
  if (name === "") return null;
  if (name === "." || name === ".." || name.includes("/")) return "A name has no slash in it";
  if (new TextEncoder().encode(name).length > 255) return "A name has at most 255 bytes";
  return taken.includes(name) ? `There is something named ${name} already` : null;
}

/** `rwxr-xr-x` of 0o755. */
export function modeWord(mode: number): string {
  const bits = "rwxrwxrwx";
  return [...bits].map((bit, at) => ((mode >> (8 - at)) & 1 ? bit : "-")).join("");
}

/** Stands in a command for a name that the person has still to say. */
export const NAME = "NAME";

export type FileFilter = { text: string; changed: boolean };

export function visible(entries: readonly FileEntry[], { text, changed }: FileFilter): FileEntry[] {
  const wanted = text.trim().toLowerCase();
  return entries.filter(
    (entry) => (wanted === "" || entry.name.toLowerCase().includes(wanted)) && (!changed || entry.change !== null),
  );
}

export type FileWork =
  | { type: "upload"; name: string; folder: string }
  | { type: "save"; path: string }
  | { type: "download"; path: string }
  | { type: "delete"; path: string }
  | { type: "rename"; path: string; name: string }
  | { type: "folder"; path: string }
  | { type: "changes" };

/** What a person is asked about before it is done. */
export type FileAsked = { what: "folder" } | { what: "rename" | "delete"; entry: FileEntry };

export function workOf(asked: FileAsked, folder: string, name: string): FileWork {
  switch (asked.what) {
    case "folder":
      return { type: "folder", path: join(folder, name) };
    case "rename":
      return { type: "rename", path: join(folder, asked.entry.name), name };
    case "delete":
      return { type: "delete", path: join(folder, asked.entry.name) };
  }
}

/** What a person could have typed. */
export function fileCommand(container: string, work: FileWork): CommandLine {
  const line = (program: string, ...words: string[]): CommandLine => {
    const parts = [
      { kind: "program" as const, text: program, explanation: null },
      ...words.map((word) => ({ kind: "argument" as const, text: quote(word), explanation: null })),
    ];
    return { text: parts.map(({ text }) => text).join(" "), parts };
  };
  switch (work.type) {
    case "upload":
      return line("docker cp", work.name, `${container}:${join(work.folder, "")}`);
    case "save":
      return line("docker cp", work.path.slice(work.path.lastIndexOf("/") + 1), `${container}:${work.path}`);
    case "download":
      return line("docker cp", `${container}:${work.path}`, ".");
    case "delete":
      return line("docker exec -u 0", container, "rm", "-rf", "--", work.path);
    case "rename":
      return line("docker exec -u 0", container, "mv", "--", work.path, join(parent(work.path), work.name));
    case "folder":
      return line("docker exec -u 0", container, "mkdir", work.path);
    case "changes":
      return line("docker diff", container);
  }
}

/** The piece of a file in the alphabet that messages have. */
export function base64(bytes: Uint8Array): string {
  const STEP = 0x8000;
  let binary = "";
  for (let at = 0; at < bytes.length; at += STEP) binary += String.fromCharCode(...bytes.subarray(at, at + STEP));
  return btoa(binary);
}
