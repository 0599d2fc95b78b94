import { describe, expect, it } from "vitest";
import type { ContainerHour, ContainerSummary, Sample } from "$lib/api";
import { choices, columnsFor, counts, items, loads, SHOWN_AT_FIRST, turned, type View } from "./listing";

function container(name: string, change: Partial<ContainerSummary> = {}): ContainerSummary {
  return {
    id: `id-${name}`,
    name,
    image: "nginx:1.27",
    imageId: "sha256:1",
    command: "nginx",
    state: "running",
    status: "Up 3 hours",
    exitCode: null,
    outOfMemory: false,
    health: null,
    ports: [],
    created: 0,
    labels: {},
    project: null,
    networks: [],
    ...change,
  };
}

const view: View = {
  filter: "all",
  stories: new Map(),
  search: "",
  only: null,
  byProject: true,
  folded: new Set<string>(),
  sort: { by: "made", down: false },
  loads: new Map(),
};
const names = (list: ReturnType<typeof items>) =>
  list.map((item) => (item.kind === "group" ? `# ${item.project ?? "alone"} ${item.running}/${item.members.length}` : item.container.name));

describe("items", () => {
  it("stands flat in the engine's order while no project is there", () => {
    expect(names(items([container("b"), container("a")], view))).toEqual(["b", "a"]);
  });

  it("groups by project, with those on their own at the end", () => {
    const list = [
      container("lone"),
      container("web", { project: "shop" }),
      container("db", { project: "shop", state: "exited", exitCode: 0 }),
      container("lab", { project: "lab" }),
    ];
    expect(names(items(list, view))).toEqual(["# lab 1/1", "lab", "# shop 1/2", "db", "web", "# alone 1/1", "lone"]);
    expect(names(items(list, { ...view, byProject: false }))).toEqual(["lone", "web", "db", "lab"]);
  });

  it("keeps a folded group's header and its count", () => {
    const list = [container("web", { project: "shop" })];
    expect(names(items(list, { ...view, folded: new Set(["project shop"]) }))).toEqual(["# shop 1/1"]);
  });

  it("keeps a row where it is when its container stops", () => {
    const order = (state: "running" | "exited") =>
      names(items([container("a"), container("b", { state }), container("c")], view));
    expect(order("exited")).toEqual(order("running"));
  });

  it("finds by name, image, published port and start of the id, every word of the search", () => {
    const web = container("web", { ports: [{ container: 80, protocol: "tcp", host: { address: "::", port: 8080 } }] });
    const list = [web, container("db", { image: "postgres:16", id: "4f1c09ab" })];
    const found = (search: string) => names(items(list, { ...view, search }));
    expect(found("WEB")).toEqual(["web"]);
    expect(found("808")).toEqual(["web"]);
    expect(found("postgres db")).toEqual(["db"]);
    expect(found("4f1c")).toEqual(["db"]);
    expect(found("web postgres")).toEqual([]);
  });

  it("filters and counts what runs and what has ended", () => {
    const list = [container("a"), container("b", { state: "exited" }), container("c", { state: "created" })];
    expect(counts(list, new Map())).toEqual({ all: 3, running: 1, paused: 0, exited: 1, attention: 0 });
    expect(names(items(list, { ...view, filter: "exited" }))).toEqual(["b"]);
  });

  it("filters a thousand containers well inside one frame", () => {
    const list = Array.from({ length: 1000 }, (_, n) => container(`c${n}`, { project: n % 3 ? `p${n % 20}` : null }));
    const start = performance.now();
    items(list, { ...view, search: "c99" });
    expect(performance.now() - start).toBeLessThan(50);
  });
});

describe("narrowing the list", () => {
  const list = [
    container("web", { labels: { tier: "front", "com.docker.compose.project": "shop" }, networks: ["shop", "bridge"] }),
    container("db", { labels: { tier: "back" }, networks: ["shop"] }),
    container("lone", { networks: ["bridge"] }),
  ];
  const found = (change: Partial<View>) => names(items(list, { ...view, ...change }));

  it("asks for a label or a network in the search", () => {
    expect(found({ search: "label:tier" })).toEqual(["web", "db"]);
    expect(found({ search: "label:tier=back" })).toEqual(["db"]);
    expect(found({ search: "network:bridge web" })).toEqual(["web"]);
    expect(found({ search: "label:toString" })).toEqual([]);
  });

  it("offers the networks and the labels of people, and keeps to the one chosen", () => {
    const { networks, labels } = choices(list);
    expect(networks).toEqual([
      { type: "network", name: "bridge" },
      { type: "network", name: "shop" },
    ]);
    expect(labels).toEqual([
      { type: "label", key: "tier", value: "back" },
      { type: "label", key: "tier", value: "front" },
    ]);
    expect(found({ only: { type: "network", name: "shop" } })).toEqual(["web", "db"]);
    expect(found({ only: { type: "label", key: "tier", value: "front" } })).toEqual(["web"]);
  });

  it("knows what needs attention", () => {
    const sick = [
      container("fine"),
      container("sick", { health: "unhealthy" }),
      container("loop", { state: "restarting" }),
      container("failed", { state: "exited", exitCode: 1 }),
      container("stopped", { state: "exited", exitCode: 137 }),
      container("starved", { state: "exited", exitCode: 137, outOfMemory: true }),
      container("new", { state: "created" }),
      container("unstartable", { state: "created" }),
    ];
    expect(names(items(sick, { ...view, filter: "attention" }))).toEqual(["sick", "loop", "failed", "starved"]);
    expect(counts(sick, new Map()).attention).toBe(4);
    // The engine did not say it, and the kernel did; and one that ended with an error as it was told to.
    const stories = new Map([
      ["id-stopped", { id: "id-stopped", cause: "memoryLimit", short: "Out of memory", tone: "bad" } as const],
      ["id-failed", { id: "id-failed", cause: "stopped", short: "Stopped", tone: "plain" } as const],
      [
        "id-unstartable",
        { id: "id-unstartable", cause: "commandNotFound", short: "Command not found", tone: "bad" } as const,
      ],
    ]);
    expect(names(items(sick, { ...view, filter: "attention", stories }))).toEqual([
      "sick",
      "loop",
      "stopped",
      "starved",
      "unstartable",
    ]);
  });
});

describe("sorting", () => {
  const sample = (cpu: number, memory: number): Sample => ({
    at: 0,
    cpu,
    memory,
    memoryLimit: 0,
    rx: 0,
    tx: 0,
    read: 0,
    write: 0,
    pids: 1,
  });
  const hour = (id: string, now: Sample | null): ContainerHour => ({
    id,
    now,
    cpuMean: 0,
    memoryMost: 0,
    network: 0,
    disk: 0,
    recentCpu: [1, 2],
    recentMemory: [3, 4],
  });
  const used = loads([hour("id-a", sample(5, 100)), hour("id-b", sample(50, 10)), hour("id-gone", null)], new Map());
  const list = [
    container("c", { state: "exited", created: 30 }),
    container("a", { created: 10 }),
    container("b", { created: 20 }),
  ];
  const order = (by: View["sort"]["by"], down: boolean) => names(items(list, { ...view, sort: { by, down }, loads: used }));

  it("is by what the heading says, with what has no figure at the end", () => {
    expect(order("name", false)).toEqual(["a", "b", "c"]);
    expect(order("name", true)).toEqual(["c", "b", "a"]);
    expect(order("cpu", true)).toEqual(["b", "a", "c"]);
    expect(order("memory", true)).toEqual(["a", "b", "c"]);
    expect(order("memory", false)).toEqual(["b", "a", "c"]);
    expect(order("age", false)).toEqual(["c", "b", "a"]);
    expect(order("state", false)).toEqual(["a", "b", "c"]);
  });

  it("stays inside the groups", () => {
    const grouped = [container("z", { project: "p" }), container("y", { project: "p" }), container("x")];
    expect(names(items(grouped, { ...view, sort: { by: "name", down: true } }))).toEqual(["# p 2/2", "z", "y", "# alone 1/1", "x"]);
  });

  it("turns with each click, and goes back to the engine's order", () => {
    const first = turned({ by: "made", down: false }, "cpu");
    expect(first).toEqual({ by: "cpu", down: true });
    expect(turned(first, "cpu")).toEqual({ by: "cpu", down: false });
    expect(turned(turned(first, "cpu"), "cpu")).toEqual({ by: "made", down: false });
    expect(turned(first, "name")).toEqual({ by: "name", down: false });
  });

  it("takes what is live over what was kept", () => {
    const now = loads([hour("id-a", sample(5, 100))], new Map([["id-a", sample(7, 1)], ["id-new", sample(1, 1)]]));
    expect(now.get("id-a")).toEqual({ sample: sample(7, 1), cpu: [1, 2], memory: [3, 4] });
    expect(now.get("id-new")?.cpu).toEqual([]);
  });
});

describe("columnsFor", () => {
  it("gives up the least wanted where the window is narrow", () => {
    const shown = (width: number) => columnsFor(SHOWN_AT_FIRST, width).map(({ id }) => id);
    expect(shown(1200)).toEqual(["ports", "cpu", "memory", "upFor"]);
    expect(shown(900)).toEqual(["ports", "cpu", "memory"]);
    expect(shown(800)).toEqual(["ports", "cpu"]);
    expect(columnsFor([], 1200)).toEqual([]);
  });
});
