// Which containers the list shows and in which order, decided apart from how it is drawn.

import type { ContainerHour, ContainerSummary, Sample, WhyLine } from "$lib/api";
import { hasFailed, isRunning, type Item, type Row } from "../rows";

export type Filter = "all" | "running" | "paused" | "exited" | "attention";

/** What a column can be sorted by; `made` is the order of the engine, newest first. */
export type SortKey = "made" | "name" | "state" | "cpu" | "memory" | "age";
export type Sort = { by: SortKey; down: boolean };

/** Columns that can be left out. */
export type ColumnId = "ports" | "cpu" | "memory" | "networks" | "age" | "upFor";

export type Column = { id: ColumnId; title: string; width: string; sort?: SortKey };

export const COLUMNS: Column[] = [
  { id: "ports", title: "Ports", width: "minmax(104px, 1fr)" },
  { id: "cpu", title: "CPU", width: "112px", sort: "cpu" },
  { id: "memory", title: "Memory", width: "124px", sort: "memory" },
  { id: "networks", title: "Networks", width: "minmax(80px, 0.7fr)" },
  { id: "age", title: "Created", width: "84px", sort: "age" },
  { id: "upFor", title: "Up for", width: "64px" },
];

export const SHOWN_AT_FIRST: ColumnId[] = ["ports", "cpu", "memory", "upFor"];

/** In a narrow window the last ones give way first. */
export function columnsFor(chosen: readonly ColumnId[], width: number): Column[] {
  const shown = COLUMNS.filter(({ id }) => chosen.includes(id));
  const most = width > 1080 ? shown.length : width > 940 ? 4 : width > 860 ? 3 : 2;
  const rank = (id: ColumnId) => ["ports", "cpu", "memory", "age", "networks", "upFor"].indexOf(id);
  const kept = new Set([...shown].sort((a, b) => rank(a.id) - rank(b.id)).slice(0, most));
  return shown.filter((column) => kept.has(column));
}

/** What a container uses now, and lately. */
export type Load = { sample: Sample | null; cpu: readonly number[]; memory: readonly number[] };

export function loads(hours: readonly ContainerHour[], now: ReadonlyMap<string, Sample>): Map<string, Load> {
  const found = new Map<string, Load>();
  for (const hour of hours) {
    found.set(hour.id, { sample: now.get(hour.id) ?? hour.now, cpu: hour.recentCpu, memory: hour.recentMemory });
  }
  for (const [id, sample] of now) {
    if (!found.has(id)) found.set(id, { sample, cpu: [], memory: [] });
  }
  return found;
}

/** Stories of those that ended, as far as they were asked for. They know more than the engine's list. */
export type Stories = ReadonlyMap<string, WhyLine>;

export function needsAttention(container: ContainerSummary, story?: WhyLine): boolean {
  const { state, health } = container;
  if (state === "dead" || state === "restarting") return true;
  if (state === "running") return health === "unhealthy";
  // One that could not be started has no end, and its story says why.
  if (state === "created") return story?.tone === "bad";
  return state === "exited" && (story ? story.tone === "bad" : hasFailed(container));
}

function passes(container: ContainerSummary, filter: Filter, stories: Stories): boolean {
  switch (filter) {
    case "all":
      return true;
    case "running":
      return isRunning(container.state);
    case "paused":
      return container.state === "paused";
    case "exited":
      return container.state === "exited" || container.state === "dead";
    case "attention":
      return needsAttention(container, stories.get(container.id));
  }
}

export function counts(containers: readonly ContainerSummary[], stories: Stories): Record<Filter, number> {
  const count = (filter: Filter) => containers.reduce((sum, c) => sum + (passes(c, filter, stories) ? 1 : 0), 0);
  return {
    all: containers.length,
    running: count("running"),
    paused: count("paused"),
    exited: count("exited"),
    attention: count("attention"),
  };
}

/** `label:tier=web` and `network:shop` are asked of the container; other words are looked for. */
function findsWord(container: ContainerSummary, text: string, word: string): boolean {
  if (word.startsWith("label:")) {
    const [key = "", value] = split(word.slice("label:".length));
    return Object.entries(container.labels).some(
      ([name, content]) => name.toLowerCase() === key && (value === undefined || content.toLowerCase() === value),
    );
  }
  if (word.startsWith("network:")) {
    const wanted = word.slice("network:".length);
    return container.networks.some((network) => network.toLowerCase() === wanted);
  }
  return (
    text.includes(word) ||
    container.id.startsWith(word) ||
    container.ports.some((p) => String(p.host?.port ?? "").startsWith(word) || String(p.container) === word)
  );
}

function split(pair: string): [string, string | undefined] {
  const at = pair.indexOf("=");
  return at < 0 ? [pair, undefined] : [pair.slice(0, at), pair.slice(at + 1)];
}

/** Every word must be found somewhere: in the name, the image, the project, a port, or at the start of the id. */
function finds(container: ContainerSummary, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const text = `${container.name}\n${container.image}\n${container.project ?? ""}`.toLowerCase();
  return words.every((word) => findsWord(container, text, word));
}

/** A label or a network that the list is narrowed to. */
export type Only = { type: "label"; key: string; value: string } | { type: "network"; name: string };

export function keyOfOnly(only: Only | null): string {
  if (only === null) return "";
  return only.type === "label" ? `label ${only.key}=${only.value}` : `network ${only.name}`;
}

function isOf(container: ContainerSummary, only: Only | null): boolean {
  if (only === null) return true;
  return only.type === "label" ? container.labels[only.key] === only.value : container.networks.includes(only.name);
}

/** Labels that tools write for themselves, and that nobody sorts containers by. */
const TOOLS = /^(com\.docker\.|org\.opencontainers\.|desktop\.docker\.|io\.buildah\.|io\.podman\.|org\.label-schema\.)/;
const MOST_CHOICES = 100;

/** What a list can be narrowed to: networks, and labels that more than a tool reads; most used first. */
export function choices(containers: readonly ContainerSummary[]): { networks: Only[]; labels: Only[] } {
  const found = new Map<string, { only: Only; times: number }>();
  const count = (only: Only) => {
    const key = keyOfOnly(only);
    const known = found.get(key);
    if (known) known.times += 1;
    else found.set(key, { only, times: 1 });
  };
  for (const { labels, networks } of containers) {
    for (const name of networks) count({ type: "network", name });
    for (const [key, value] of Object.entries(labels)) if (!TOOLS.test(key)) count({ type: "label", key, value });
  }
  const of = (type: Only["type"]) =>
    [...found.values()]
      .filter(({ only }) => only.type === type)
      .sort((a, b) => b.times - a.times || keyOfOnly(a.only).localeCompare(keyOfOnly(b.only)))
      .slice(0, MOST_CHOICES)
      .map(({ only }) => only);
  return { networks: of("network"), labels: of("label") };
}

export type View = {
  filter: Filter;
  stories: Stories;
  search: string;
  only: Only | null;
  byProject: boolean;
  folded: ReadonlySet<string>;
  sort: Sort;
  loads: ReadonlyMap<string, Load>;
};

const STATES = ["restarting", "running", "paused", "created", "removing", "exited", "dead"];

/** Those that a sort knows nothing of come last in both directions, and what is equal stays as it was. */
function sorted(containers: ContainerSummary[], { sort: { by, down }, loads }: View): ContainerSummary[] {
  if (by === "made") return containers;
  const turn = down ? -1 : 1;
  const number = (value: (c: ContainerSummary) => number | null) =>
    [...containers].sort((a, b) => {
      const [left, right] = [value(a), value(b)];
      if (left === null || right === null) return Number(left === null) - Number(right === null);
      return turn * (left - right);
    });
  switch (by) {
    case "name":
      return [...containers].sort((a, b) => turn * a.name.localeCompare(b.name));
    case "state":
      return number((c) => STATES.indexOf(c.state));
    case "cpu":
      return number((c) => loads.get(c.id)?.sample?.cpu ?? null);
    case "memory":
      return number((c) => loads.get(c.id)?.sample?.memory ?? null);
    case "age":
      return number((c) => -c.created);
  }
}

/**
 * The rows in the order in which they stand. At first nothing in the order depends on the state, so that a row stays
 * where it is when it starts or stops.
 */
export function items(containers: readonly ContainerSummary[], view: View): Item[] {
  const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = containers.filter((c) => passes(c, view.filter, view.stories) && isOf(c, view.only) && finds(c, words));
  const row = (container: ContainerSummary): Row => ({ kind: "container", key: container.id, container });

  const projects = new Map<string, ContainerSummary[]>();
  const alone: ContainerSummary[] = [];
  for (const container of shown) {
    if (container.project === null) alone.push(container);
    else if (projects.has(container.project)) projects.get(container.project)?.push(container);
    else projects.set(container.project, [container]);
  }
  if (!view.byProject || projects.size === 0) return sorted(shown, view).map(row);

  const out: Item[] = [];
  const put = (project: string | null, members: ContainerSummary[]) => {
    const key = groupKey(project);
    const folded = view.folded.has(key);
    out.push({
      kind: "group",
      key,
      project,
      members,
      running: members.filter((c) => isRunning(c.state)).length,
      folded,
    });
    if (!folded) out.push(...sorted(members, view).map(row));
  };
  for (const [project, members] of [...projects].sort(([a], [b]) => a.localeCompare(b))) {
    put(project, members.sort((a, b) => a.name.localeCompare(b.name)));
  }
  if (alone.length > 0) put(null, alone);
  return out;
}

function groupKey(project: string | null): string {
  return project === null ? "alone" : `project ${project}`;
}

export function hasProjects(containers: readonly ContainerSummary[]): boolean {
  return containers.some((c) => c.project !== null);
}

/** A click on a heading: up, down, and back to the engine's order. What is measured begins with the most. */
export function turned(sort: Sort, by: SortKey): Sort {
  const first = by === "cpu" || by === "memory";
  if (sort.by !== by) return { by, down: first };
  return sort.down === first ? { by, down: !first } : { by: "made", down: false };
}
