// What the container list shows, decided apart from how it is drawn.

import type { CommandLine, CommandPart, ContainerState, ContainerSummary, Forward, WhyLine } from "$lib/api";
import { counted, portText, portUrl } from "$lib/format";

/** `members`: those that the filter and the search let through, folded away or not. */
export type Group = {
  kind: "group";
  key: string;
  project: string | null;
  members: ContainerSummary[];
  running: number;
  folded: boolean;
};
export type Row = { kind: "container"; key: string; container: ContainerSummary };
export type Item = Group | Row;

/** What is being done to a container right now, before the engine says so itself. */
export type Doing = "start" | "stop" | "restart" | "pause" | "resume" | "kill" | "remove";

export type Look = "running" | "starting" | "paused" | "exited" | "error";

/** `dead`: why nobody is reached there now. */
export type PortLink = { label: string; href: string | null; dead: string | null };

export const ROW_HEIGHT = 44;
export const GROUP_HEIGHT = 36;

/** In the address in place of a container: no container can be called so. */
export const PROJECT = "*project";

export function heightOf(item: Item): number {
  return item.kind === "group" ? GROUP_HEIGHT : ROW_HEIGHT;
}

export function isUp(state: ContainerState): boolean {
  return state === "running" || state === "restarting" || state === "paused";
}

/** Paused ones are not counted: they use memory and do nothing. */
export function isRunning(state: ContainerState): boolean {
  return state === "running" || state === "restarting";
}

/** `line` is its story, once it is known: it tells a kill that somebody wanted from one that nobody did. */
export function stateOf(container: ContainerSummary, doing?: Doing, line?: WhyLine): { look: Look; word: string } {
  if (doing === "start") return { look: "starting", word: "Starting" };
  if (doing === "stop") return { look: "starting", word: "Stopping" };
  if (doing === "restart") return { look: "starting", word: "Restarting" };
  if (doing === "pause") return { look: "starting", word: "Pausing" };
  if (doing === "resume") return { look: "starting", word: "Resuming" };
  if (doing === "kill") return { look: "starting", word: "Killing" };
  if (doing === "remove") return { look: "starting", word: "Removing" };
  switch (container.state) {
    case "running":
      if (container.health === "unhealthy") return { look: "error", word: "Unhealthy" };
      return { look: "running", word: "Running" };
    case "restarting":
      return { look: "starting", word: "Restarting" };
    case "removing":
      return { look: "starting", word: "Removing" };
    case "paused":
      return { look: "paused", word: "Paused" };
    case "created":
      return { look: "exited", word: "Created" };
    case "dead":
      return { look: "error", word: "Dead" };
    case "exited": {
      const code = container.exitCode;
      if (code === null) return { look: "exited", word: "Exited" };
      const failed = line ? line.tone === "bad" : hasFailed(container);
      return { look: failed ? "error" : "exited", word: `Exited ${code}` };
    }
  }
}

/** What its health check says, where the state's word does not say it. */
export function healthWord({ state, health }: Pick<ContainerSummary, "state" | "health">): string | null {
  if (state !== "running") return null;
  if (health === "healthy") return "Healthy";
  return health === "starting" ? "First checks" : null;
}

/** 130, 137 and 143 are what a container leaves that somebody stopped: no reason for red. */
function isFailure(code: number): boolean {
  return code !== 0 && code !== 130 && code !== 137 && code !== 143;
}

export function hasFailed({ exitCode, outOfMemory }: Pick<ContainerSummary, "exitCode" | "outOfMemory">): boolean {
  return outOfMemory || (exitCode !== null && isFailure(exitCode));
}

/** Why it does not run: its story in a few words, and until that is known what the exit code says. */
export function reason(container: ContainerSummary, line?: WhyLine): string {
  if (line) return line.short;
  if (container.state === "created") return "Never started";
  if (container.state === "dead") return "Could not be removed";
  if (container.state !== "exited" || container.exitCode === null) return "";
  if (container.outOfMemory) return "Out of memory";
  return exitWords(container.exitCode);
}

export function exitWords(code: number): string {
  switch (code) {
    case 0:
      return "Finished normally";
    case 126:
      return "Command cannot be executed";
    case 127:
      return "Command not found";
    case 130:
      return "Interrupted";
    case 134:
      return "Aborted";
    case 137:
      return "Killed";
    case 139:
      return "Crashed, memory fault";
    case 143:
      return "Stopped when asked";
  }
  if (code > 128 && code <= 192) return `Ended by signal ${code - 128}`;
  return "Ended with an error";
}

/** So many letters of a port leave room for another beside it. */
const SHORT = 9;

/** What a row of two lines holds: first one that does not work, then what a browser opens. */
export function inRow(links: readonly PortLink[]): { shown: PortLink[]; others: PortLink[] } {
  if (links.length <= 2) return { shown: [...links], others: [] };
  const rank = ({ dead, href }: PortLink) => (dead !== null ? 0 : href !== null ? 1 : 2);
  const sorted = [...links].sort((a, b) => rank(a) - rank(b));
  const first = sorted.slice(0, 2);
  const most = first.every(({ label, dead }) => label.length <= SHORT && dead === null) ? 2 : 1;
  return { shown: sorted.slice(0, most), others: sorted.slice(most) };
}

/**
 * Published ports, once each: an engine lists 0.0.0.0 and :: apart. A link only where something can answer it. What
 * the machine forwards says which of them do not work, and names those of a container on the machine's own network.
 */
export function portLinks(
  { id, ports, state }: Pick<ContainerSummary, "id" | "ports" | "state">,
  forwards: Forward[] = [],
): PortLink[] {
  const links = new Map<string, PortLink>();
  const put = (label: string, href: string | null, dead: string | null) => {
    const known = links.get(label);
    links.set(label, { label, href: known?.href ?? href, dead: known?.dead ?? dead });
  };
  for (const port of ports) {
    const published = port.host;
    if (published === null) continue;
    const same = (forward: Forward) =>
      forward.owner === null && forward.protocol === port.protocol && hostPort(forward) === published.port;
    const dead = forwards.find((forward) => same(forward) && forward.dead !== null)?.dead ?? null;
    put(portText(port), isRunning(state) ? portUrl(port) : null, dead);
  }
  for (const forward of forwards.filter(({ owner }) => owner === id)) {
    const port = hostPort(forward);
    const url = forward.protocol === "tcp" ? `http://localhost:${port}` : null;
    put(forward.protocol === "tcp" ? `${port}` : `${port}/${forward.protocol}`, url, forward.dead);
  }
  return [...links.values()].map((link) => (link.dead === null ? link : { ...link, href: null }));
}

/** `0.0.0.0:8080` or `[::]:8080`. */
function hostPort(forward: Forward): number {
  return Number(forward.host.slice(forward.host.lastIndexOf(":") + 1));
}

/** Ports that do not work now, once each, with the name of the container where it can be told. */
export function deadPorts(
  containers: ContainerSummary[],
  forwards: Forward[],
): { label: string; name: string | null; why: string }[] {
  const dead = new Map<string, { label: string; name: string | null; why: string }>();
  for (const forward of forwards) {
    if (forward.dead === null) continue;
    const port = hostPort(forward);
    const label = forward.protocol === "tcp" ? `${port}` : `${port}/${forward.protocol}`;
    const whose = containers.find(({ id, ports, state }) =>
      forward.owner === null
        ? isUp(state) && ports.some(({ host, protocol }) => host?.port === port && protocol === forward.protocol)
        : id === forward.owner,
    );
    if (!dead.has(label)) dead.set(label, { label, name: whose?.name ?? null, why: forward.dead });
  }
  return [...dead.values()];
}

export function firstUrl(container: ContainerSummary, forwards: Forward[] = []): string | null {
  return portLinks(container, forwards).find((link) => link.href !== null)?.href ?? null;
}

/** "Up 3 hours (healthy)" to "3 h". The engine's words are all a list has; a start time it does not give. */
export function upFor(container: ContainerSummary): string {
  const up = /^Up (.+?)(?: \(.*\))?$/.exec(container.status)?.[1];
  if (up === undefined || !isUp(container.state)) return "";
  if (/^less than/i.test(up)) return "1 s";
  const [, count = "", unit = ""] = /^(?:about )?(\S+) (\w+?)s?$/i.exec(up) ?? [];
  const short: Record<string, string> = { second: "s", minute: "min", hour: "h", day: "d" };
  const number = /^an?$/i.test(count) ? "1" : count;
  if (unit in short) return `${number} ${short[unit]}`;
  return unit === "" ? up : `${number} ${unit}${number === "1" ? "" : "s"}`;
}

/** An address may have a name in place of an id, which is not cut. */
export function shortId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id;
}

/** "3 containers", or the one's name. */
export function nameThem(containers: readonly Pick<ContainerSummary, "name">[]): string {
  const [only] = containers;
  return containers.length === 1 && only !== undefined ? only.name : counted(containers.length, "container");
}

/** `forever`: the text for a removal past the trash. */
export type Removal = { title: string; text: string; forever: string; button: string; force: boolean };

export function removal(containers: ContainerSummary[], kept = "7 days"): Removal {
  const up = containers.filter((c) => isUp(c.state));
  const them = nameThem(containers);
  const one = containers.length === 1;
  let text = one ? "It is stopped." : "They are stopped.";
  if (up.length > 0 && one) text = "It is running and will be stopped.";
  else if (up.length === containers.length) text = "They are running and will be stopped.";
  else if (up.length > 0) text = `${up.length} of them ${up.length === 1 ? "is" : "are"} running and will be stopped.`;
  return {
    title: `Delete ${them}?`,
    text: `${text} ${one ? "It waits" : "They wait"} in the trash for ${kept} and can come back. Volumes and images stay.`,
    forever: `${text} What ${one ? "it" : "they"} wrote outside of volumes is lost. Volumes and images stay.`,
    button: `Delete ${them}`,
    force: up.length > 0,
  };
}

/** The command that does this to all of them. */
export function commandFor(what: Doing, containers: readonly Pick<ContainerSummary, "name">[]): string {
  const verb: Record<Doing, string> = {
    start: "start",
    stop: "stop",
    restart: "restart",
    pause: "pause",
    resume: "unpause",
    kill: "kill",
    remove: "rm",
  };
  return ["docker", verb[what], ...containers.map(({ name }) => name)].join(" ");
}

export function removalCommand(
  containers: readonly Pick<ContainerSummary, "name">[],
  { force, volumes }: { force: boolean; volumes: boolean },
): CommandLine {
  const parts: CommandPart[] = [
    { kind: "program", text: "docker", explanation: null },
    { kind: "argument", text: "rm", explanation: "Removes containers. A terminal has no trash." },
  ];
  if (force) parts.push({ kind: "flag", text: "--force", explanation: "Although they run." });
  if (volumes) parts.push({ kind: "flag", text: "--volumes", explanation: "With the volumes that have no name." });
  parts.push(...containers.map(({ name }): CommandPart => ({ kind: "image", text: name, explanation: null })));
  return { text: parts.map(({ text }) => text).join(" "), parts };
}
