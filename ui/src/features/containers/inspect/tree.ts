// JSON as lines of a tree that folds and can be searched.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export type Line = {
  /** `$.HostConfig.Memory`: what tells this line from all others. */
  path: string;
  depth: number;
  /** The name in its object; `null` for the root and for entries of lists. */
  key: string | null;
  value: Json;
  /** Opening or closing of what has entries, or a value by itself. */
  kind: "open" | "close" | "folded" | "value";
};

const PLAIN = /^[A-Za-z_]\w*$/;

export function step(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  return PLAIN.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

function entriesOf(value: Json): [string | number, Json][] | null {
  if (Array.isArray(value)) return value.map((one, at) => [at, one]);
  if (value !== null && typeof value === "object") return Object.entries(value);
  return null;
}

/** The lines that are to be seen. What has no entries is not opened. */
export function lines(root: Json, open: (path: string) => boolean): Line[] {
  const all: Line[] = [];
  const walk = (value: Json, path: string, depth: number, key: string | null) => {
    const entries = entriesOf(value);
    if (entries === null || entries.length === 0) {
      all.push({ path, depth, key, value, kind: "value" });
    } else if (!open(path)) {
      all.push({ path, depth, key, value, kind: "folded" });
    } else {
      all.push({ path, depth, key, value, kind: "open" });
      for (const [name, one] of entries) walk(one, step(path, name), depth + 1, typeof name === "string" ? name : null);
      all.push({ path, depth, key: null, value, kind: "close" });
    }
  };
  walk(root, "$", 0, null);
  return all;
}

/** Paths whose name or value contains the words, in reading order. */
export function find(root: Json, words: string): string[] {
  const wanted = words.trim().toLowerCase();
  if (wanted === "") return [];
  const found: string[] = [];
  const walk = (value: Json, path: string, key: string) => {
    const entries = entriesOf(value);
    const own = entries === null ? scalar(value) : "";
    if (key.toLowerCase().includes(wanted) || own.toLowerCase().includes(wanted)) found.push(path);
    for (const [name, one] of entries ?? []) walk(one, step(path, name), typeof name === "string" ? name : "");
  };
  walk(root, "$", "");
  return found;
}

/** Every path above this one, the outermost first. */
export function above(path: string): string[] {
  const parts = [...path.matchAll(/\.[A-Za-z_]\w*|\[\d+\]|\["(?:[^"\\]|\\.)*"\]/g)];
  return ["$", ...parts.map((_, at) => `$${parts.slice(0, at + 1).map(([part]) => part).join("")}`)].slice(0, -1);
}

export function scalar(value: Json): string {
  if (typeof value === "string") return JSON.stringify(value);
  const entries = entriesOf(value);
  if (entries === null) return String(value);
  return Array.isArray(value) ? "[]" : "{}";
}

export function kindOf(value: Json): "string" | "number" | "word" | "object" {
  if (typeof value === "string") return "string";
  if (typeof value === "number") return "number";
  return value === null || typeof value === "boolean" ? "word" : "object";
}

export function countOf(value: Json): number {
  return entriesOf(value)?.length ?? 0;
}

/** As `docker inspect -f` names it. */
export function template(path: string): string {
  const parts = [...path.matchAll(/\.([A-Za-z_]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g)];
  const plain = parts.every(([, name]) => name !== undefined);
  if (parts.length === 0) return "{{json .}}";
  if (plain) return `{{json ${parts.map(([, name]) => `.${name}`).join("")}}}`;
  const words = parts.map(([, name, index, key]) => (name === undefined ? (index ?? key ?? "") : JSON.stringify(name)));
  return `{{json (index . ${words.join(" ")})}}`;
}

const SECRET = /^([A-Za-z_]\w*)=(.*)$/s;

/** The same with the values of secrets as dots; `isSecret` decides by a variable's name and value. */
export function masked(root: Json, shown: (name: string, value: string) => string): Json {
  if (typeof root === "string") {
    const match = SECRET.exec(root);
    return match?.[1] !== undefined && match[2] !== undefined ? `${match[1]}=${shown(match[1], match[2])}` : root;
  }
  if (Array.isArray(root)) return root.map((one) => masked(one, shown));
  if (root !== null && typeof root === "object") {
    return Object.fromEntries(Object.entries(root).map(([key, one]) => [key, masked(one, shown)]));
  }
  return root;
}
