// The run form: what the person typed, what is wrong with it, and the spec it makes.

import { quote, split } from "shlex";
import type {
  ExposedPort,
  Gpus,
  HealthSetting,
  ImageDetail,
  PortAnswer,
  PortQuestion,
  Problem,
  Protocol,
  PublishedPort,
  PullPolicy,
  Restart,
  RunMount,
  RunSpec,
  Ulimit,
  Variable,
} from "$lib/api";
import { emptySpec } from "./spec";
import { parseSize, parseTime, sizeText, timeText } from "./units";

export type PortRow = { key: number; address: string; host: string; container: string; protocol: Protocol };
export type VariableRow = { key: number; name: string; value: string };
export type TextRow = { key: number; text: string };
export type MountKind = "folder" | "volume" | "memory";
export type MountRow = {
  key: number;
  kind: MountKind;
  /** The folder, or the volume's name. */
  source: string;
  target: string;
  readOnly: boolean;
  mustExist: boolean;
  options: string[];
};
export type NetworkRow = { key: number; name: string; aliases: string; ip: string; ip6: string };
export type RareRow = { key: number; flag: string; value: string };
export type RestartChoice = Restart["type"];
export type GpuChoice = "off" | "all" | "count" | "devices";

export type Form = {
  image: string;
  name: string;
  restart: RestartChoice;
  retries: string;
  removeWhenStopped: boolean;
  ports: PortRow[];
  publishAll: boolean;
  mounts: MountRow[];
  variables: VariableRow[];
  envFiles: TextRow[];
  command: string;
  entrypoint: string;
  /** The image's own entrypoint is taken away. */
  noEntrypoint: boolean;
  workingDirectory: string;
  user: string;
  interactive: boolean;
  terminal: boolean;
  init: boolean;
  stopSignal: string;
  stopTimeout: string;
  memory: string;
  cpus: string;
  shmSize: string;
  gpu: GpuChoice;
  /** How many, or which, with commas. */
  gpuWhich: string;
  gpuDriver: string;
  gpuCapabilities: string[];
  ulimits: VariableRow[];
  health: "image" | "off" | "own";
  healthCommand: string;
  healthInterval: string;
  healthTimeout: string;
  healthStart: string;
  healthStartInterval: string;
  healthRetries: string;
  logDriver: string;
  logOptions: VariableRow[];
  networks: NetworkRow[];
  hostname: string;
  dns: TextRow[];
  extraHosts: VariableRow[];
  labels: VariableRow[];
  platform: string;
  pull: PullPolicy;
  privileged: boolean;
  readOnly: boolean;
  capAdd: TextRow[];
  capDrop: TextRow[];
  securityOptions: TextRow[];
  devices: TextRow[];
  sysctls: VariableRow[];
  rare: RareRow[];
};

let lastKey = 0;

export function portRow(host = "", container = "", protocol: Protocol = "tcp", address = ""): PortRow {
  return { key: ++lastKey, address, host, container, protocol };
}

export function variableRow(name = "", value = ""): VariableRow {
  return { key: ++lastKey, name, value };
}

export function textRow(text = ""): TextRow {
  return { key: ++lastKey, text };
}

export function mountRow(change: Partial<Omit<MountRow, "key">> = {}): MountRow {
  const empty = { kind: "folder" as const, source: "", target: "", readOnly: false, mustExist: false, options: [] };
  return { key: ++lastKey, ...empty, ...change };
}

export function networkRow(name = "", aliases = "", ip = "", ip6 = ""): NetworkRow {
  return { key: ++lastKey, name, aliases, ip, ip6 };
}

export function rareRow(flag: string, value = ""): RareRow {
  return { key: ++lastKey, flag, value };
}

export function emptyForm(image = ""): Form {
  return fromSpec(emptySpec(image));
}

/** Ports under 1024 often belong to the system: 80 is wished for as 8080, 443 as 8443. */
export function wishedHostPort(exposed: number): number {
  return exposed < 1024 ? exposed + 8000 : exposed;
}

/** One row for each port that the image exposes, on a host port that is free. */
export async function portsOf(
  exposed: ExposedPort[],
  check: (question: PortQuestion) => Promise<PortAnswer>,
): Promise<PortRow[]> {
  const taken = new Set<number>();
  const rows: PortRow[] = [];
  for (const { port, protocol } of exposed) {
    let wished = wishedHostPort(port);
    while (taken.has(wished)) wished += 1;
    const answer = await check({ address: null, port: wished, protocol });
    const host = answer.free ? wished : answer.nextFree;
    if (host !== null) taken.add(host);
    rows.push(portRow(host === null ? "" : String(host), String(port), protocol));
  }
  return rows.length > 0 ? rows : [portRow()];
}

export function portNumber(text: string): number | null {
  if (!/^\d{1,5}$/.test(text.trim())) return null;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : null;
}

/** A port, or several with a hyphen: `8000-8010`. */
export function portRange(text: string): { first: number; last: number | null } | null {
  const [from, to, more] = text.trim().split("-");
  const first = portNumber(from ?? "");
  if (first === null || more !== undefined) return null;
  if (to === undefined) return { first, last: null };
  const last = portNumber(to);
  if (last === null || last < first) return null;
  return { first, last: last === first ? null : last };
}

export function isBlank(row: PortRow): boolean {
  return row.host.trim() === "" && row.container.trim() === "";
}

/** What to ask the computer about a row; `null` when there is nothing to ask. */
export function questionOf(row: PortRow): PortQuestion | null {
  const range = portRange(row.host);
  return range === null ? null : { address: row.address.trim() || null, port: range.first, protocol: row.protocol };
}

export function questionKey(question: PortQuestion): string {
  const { address, port, protocol } = question;
  return `${address === null ? "" : `${address}:`}${port}/${protocol}`;
}

export type PortVerdict =
  | { state: "none" }
  | { state: "checking" }
  | { state: "any" }
  | { state: "free"; say: string }
  | { state: "bad"; say: string; field: "host" | "container"; instead: number | null };

export function portVerdict(form: Form, row: PortRow, answers: ReadonlyMap<string, PortAnswer>): PortVerdict {
  if (isBlank(row)) return { state: "none" };
  if (row.container.trim() === "") {
    return { state: "bad", say: "Which port in the container?", field: "container", instead: null };
  }
  const container = portRange(row.container);
  if (container === null) {
    return { state: "bad", say: `${row.container} is not a port: 1 to 65535`, field: "container", instead: null };
  }
  if (row.host.trim() === "") return { state: "any" };
  const host = portRange(row.host);
  const question = questionOf(row);
  if (question === null || host === null) {
    return { state: "bad", say: `${row.host} is not a port: 1 to 65535`, field: "host", instead: null };
  }
  const many = (range: { first: number; last: number | null }) => (range.last ?? range.first) - range.first;
  if (container.last !== null && many(container) !== many(host)) {
    return { state: "bad", say: "Both sides need as many ports", field: "host", instead: null };
  }
  const earlier = form.ports.slice(0, form.ports.indexOf(row));
  if (earlier.some((other) => sameHostPort(other, row, question.port))) {
    return { state: "bad", say: `${question.port} is used twice here`, field: "host", instead: freeBeside(form, question.port) };
  }
  const answer = answers.get(questionKey(question));
  if (answer === undefined) return { state: "checking" };
  if (answer.free) return { state: "free", say: answer.sentence };
  return { state: "bad", say: answer.sentence, field: "host", instead: answer.nextFree };
}

function sameHostPort(one: PortRow, other: PortRow, port: number): boolean {
  const [first, second] = [one.address.trim(), other.address.trim()];
  const meet = first === second || first === "" || second === "";
  return meet && one.protocol === other.protocol && portRange(one.host)?.first === port;
}

function freeBeside(form: Form, port: number): number {
  const used = new Set(form.ports.map((row) => portNumber(row.host)));
  let next = port + 1;
  while (used.has(next)) next += 1;
  return next;
}

export function nameWrong(name: string): string | null {
  const trimmed = name.trim();
  if (trimmed === "" || /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(trimmed)) return null;
  if (trimmed.length === 1) return "A name has two characters or more";
  return "Letters, digits, and _ . - after the first";
}

/** Words as a shell splits them; `null` while a quote is open. */
export function words(command: string): string[] | null {
  try {
    return split(command);
  } catch {
    return null;
  }
}

export function commandWrong(command: string): string | null {
  return words(command) === null ? "A quote is not closed" : null;
}

/** The command as text that `words` takes apart again. */
export function asText(command: string[]): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quote(word))).join(" ");
}

export function variableWrong(row: VariableRow): string | null {
  const name = row.name.trim();
  if (name === "") return row.value === "" ? null : "A value without a name";
  return /[=\s\0]/.test(name) ? "A name has no blanks and no =" : null;
}

/** Variables of the image are its defaults: only what differs from them is passed on. */
export function variablesOf(rows: VariableRow[], detail: ImageDetail | null): Variable[] {
  const defaults = new Map(detail?.environment.map(({ name, value }) => [name, value]));
  return rows
    .map(({ name, value }) => ({ name: name.trim(), value }))
    .filter(({ name, value }) => name !== "" && defaults.get(name) !== value);
}

export function mountWrong(form: Form, row: MountRow): string | null {
  if (row.source.trim() === "" && row.target.trim() === "") return null;
  if (row.target.trim() === "") return "Where in the container?";
  if (!row.target.trim().startsWith("/")) return "Paths in the container begin with /";
  if (row.kind === "folder") {
    if (row.source.trim() === "") return "Which folder of this computer?";
    if (!isWholePath(row.source.trim())) return "The whole path of the folder, like /home/ada/site";
  }
  if (row.kind === "volume" && row.source.trim() !== "" && nameWrong(row.source) !== null) {
    return "A volume's name has letters, digits, and _ . -";
  }
  const twice = form.mounts.some((other) => other.key < row.key && other.target.trim() === row.target.trim());
  return twice ? `${row.target.trim()} is used twice` : null;
}

export function isWholePath(path: string): boolean {
  return /^(\/|\\\\|[A-Za-z]:[\\/])/.test(path);
}

export function sizeWrong(text: string): string | null {
  return text.trim() === "" || parseSize(text) !== null ? null : "A size like 512m or 2g";
}

export function timeWrong(text: string): string | null {
  return text.trim() === "" || parseTime(text) !== null ? null : "A time like 30s or 1m30s";
}

export function numberWrong(text: string, whole = true): string | null {
  if (text.trim() === "") return null;
  const number = Number(text);
  const fits = Number.isFinite(number) && (whole ? Number.isInteger(number) : number > 0);
  return fits ? null : whole ? "A whole number" : "A number like 1.5";
}

const given = (text: string): string | null => text.trim() || null;
const texts = (rows: TextRow[]): string[] => rows.map(({ text }) => text.trim()).filter((text) => text !== "");
const pairs = (rows: VariableRow[]): Variable[] =>
  rows.map(({ name, value }) => ({ name: name.trim(), value })).filter(({ name }) => name !== "");

function mountsOf(form: Form): RunMount[] {
  return form.mounts.flatMap((row): RunMount[] => {
    const target = row.target.trim();
    const source = row.source.trim();
    if (mountWrong(form, row) !== null || target === "") return [];
    const rest = { target, readOnly: row.readOnly, options: row.options };
    switch (row.kind) {
      case "folder":
        return [{ source: { type: "folder", path: source, mustExist: row.mustExist }, ...rest }];
      case "volume":
        return [{ source: { type: "volume", name: given(source) }, ...rest }];
      case "memory":
        return [{ source: { type: "memory" }, ...rest }];
    }
  });
}

function restartOf(form: Form): Restart {
  if (form.restart !== "onFailure") return { type: form.restart };
  const retries = Number(form.retries);
  return { type: "onFailure", retries: Number.isInteger(retries) && retries > 0 ? retries : null };
}

function gpusOf(form: Form): Gpus | null {
  const rest = { driver: given(form.gpuDriver), capabilities: form.gpuCapabilities };
  switch (form.gpu) {
    case "off":
      return null;
    case "all":
      return { which: { type: "all" }, ...rest };
    case "count": {
      const count = Number(form.gpuWhich);
      return Number.isInteger(count) && count > 0 ? { which: { type: "count", count }, ...rest } : null;
    }
    case "devices": {
      const ids = form.gpuWhich.split(",").map((id) => id.trim()).filter(Boolean);
      return ids.length > 0 ? { which: { type: "devices", ids }, ...rest } : null;
    }
  }
}

function healthOf(form: Form): HealthSetting {
  if (form.health !== "own") return { type: form.health };
  return {
    type: "own",
    check: {
      command: given(form.healthCommand),
      intervalMillis: parseTime(form.healthInterval) ?? 0,
      timeoutMillis: parseTime(form.healthTimeout) ?? 0,
      startPeriodMillis: parseTime(form.healthStart) ?? 0,
      startIntervalMillis: parseTime(form.healthStartInterval) ?? 0,
      retries: Number.parseInt(form.healthRetries, 10) || 0,
    },
  };
}

function ulimitsOf(form: Form): Ulimit[] {
  return pairs(form.ulimits).flatMap(({ name, value }): Ulimit[] => {
    const [soft, hard] = value.split(":").map((text) => (text.trim() === "" ? Number.NaN : Number(text)));
    if (soft === undefined || !Number.isInteger(soft)) return [];
    return [{ name, soft, hard: hard !== undefined && Number.isInteger(hard) ? hard : soft }];
  });
}

/** Rows that are not finished yet are left out, so that the command line can be shown at every key. */
export function toSpec(form: Form, detail: ImageDetail | null): RunSpec {
  const ports = form.ports.flatMap((row): PublishedPort[] => {
    const container = portRange(row.container);
    const host = portRange(row.host);
    if (container === null || (host === null && row.host.trim() !== "")) return [];
    return [
      {
        hostAddress: given(row.address),
        hostPort: host?.first ?? null,
        hostLast: host?.last ?? null,
        containerPort: container.first,
        containerLast: container.last,
        protocol: row.protocol,
      },
    ];
  });
  const cpus = Number(form.cpus);
  const stopTimeout = Number(form.stopTimeout);
  return {
    image: form.image.trim(),
    name: given(form.name),
    platform: given(form.platform),
    pull: form.pull,
    entrypoint: form.noEntrypoint ? "" : given(form.entrypoint),
    command: words(form.command) ?? [],
    workingDirectory: given(form.workingDirectory),
    user: given(form.user),
    interactive: form.interactive,
    terminal: form.terminal,
    init: form.init,
    removeWhenStopped: form.removeWhenStopped,
    restart: restartOf(form),
    stopSignal: given(form.stopSignal),
    stopTimeout: form.stopTimeout.trim() !== "" && Number.isInteger(stopTimeout) ? stopTimeout : null,
    ports,
    publishAll: form.publishAll,
    mounts: mountsOf(form),
    environment: variablesOf(form.variables, detail),
    envFiles: texts(form.envFiles),
    labels: pairs(form.labels),
    memory: parseSize(form.memory),
    cpus: cpus > 0 ? cpus : null,
    shmSize: parseSize(form.shmSize),
    gpus: gpusOf(form),
    ulimits: ulimitsOf(form),
    health: healthOf(form),
    logDriver: given(form.logDriver),
    logOptions: pairs(form.logOptions),
    networks: form.networks
      .filter(({ name }) => name.trim() !== "")
      .map(({ name, aliases, ip, ip6 }) => ({
        name: name.trim(),
        aliases: aliases.split(/[\s,]+/).filter(Boolean),
        ip: given(ip),
        ip6: given(ip6),
      })),
    hostname: given(form.hostname),
    dns: texts(form.dns),
    extraHosts: pairs(form.extraHosts).map(({ name, value }) => `${name}:${value.trim()}`),
    privileged: form.privileged,
    readOnly: form.readOnly,
    capAdd: texts(form.capAdd),
    capDrop: texts(form.capDrop),
    securityOptions: texts(form.securityOptions),
    devices: texts(form.devices).map((text) => deviceOf(text)),
    sysctls: pairs(form.sysctls),
    rare: form.rare.filter(({ value }) => value.trim() !== "").map(({ flag, value }) => ({ flag, value: value.trim() })),
  };
}

function deviceOf(text: string): RunSpec["devices"][number] {
  const isNamed = !text.startsWith("/") && text.includes("=");
  const [host = text, second = null, third = null] = isNamed ? [text] : text.split(":");
  const permissions = second !== null && /^[rwm]{1,3}$/.test(second) ? second : third;
  return { host, container: permissions === second ? null : second, permissions };
}

/** What a pasted line or another container fills the form with. */
export function fromSpec(spec: RunSpec): Form {
  const health = spec.health.type === "own" ? spec.health.check : null;
  const range = (first: number | null, last: number | null) =>
    first === null ? "" : last === null ? String(first) : `${first}-${last}`;
  const which = spec.gpus?.which;
  const pairRows = (list: Variable[]) => list.map(({ name, value }) => variableRow(name, value));
  const textRows = (list: string[]) => list.map((text) => textRow(text));
  return {
    image: spec.image,
    name: spec.name ?? "",
    restart: spec.restart.type,
    retries: spec.restart.type === "onFailure" ? String(spec.restart.retries ?? "") : "",
    removeWhenStopped: spec.removeWhenStopped,
    ports:
      spec.ports.length > 0
        ? spec.ports.map((port) =>
            portRow(
              range(port.hostPort, port.hostLast),
              range(port.containerPort, port.containerLast),
              port.protocol,
              port.hostAddress ?? "",
            ),
          )
        : [portRow()],
    publishAll: spec.publishAll,
    mounts: spec.mounts.map(({ source, target, readOnly, options }) =>
      mountRow({
        kind: source.type,
        source: source.type === "folder" ? source.path : source.type === "volume" ? (source.name ?? "") : "",
        mustExist: source.type === "folder" && source.mustExist,
        target,
        readOnly,
        options,
      }),
    ),
    variables: pairRows(spec.environment),
    envFiles: textRows(spec.envFiles),
    command: asText(spec.command),
    entrypoint: spec.entrypoint ?? "",
    noEntrypoint: spec.entrypoint === "",
    workingDirectory: spec.workingDirectory ?? "",
    user: spec.user ?? "",
    interactive: spec.interactive,
    terminal: spec.terminal,
    init: spec.init,
    stopSignal: spec.stopSignal ?? "",
    stopTimeout: spec.stopTimeout === null ? "" : String(spec.stopTimeout),
    memory: spec.memory === null ? "" : sizeText(spec.memory),
    cpus: spec.cpus === null ? "" : String(spec.cpus),
    shmSize: spec.shmSize === null ? "" : sizeText(spec.shmSize),
    gpu: which?.type ?? "off",
    gpuWhich: which?.type === "count" ? String(which.count) : which?.type === "devices" ? which.ids.join(",") : "",
    gpuDriver: spec.gpus?.driver ?? "",
    gpuCapabilities: spec.gpus?.capabilities ?? [],
    ulimits: spec.ulimits.map(({ name, soft, hard }) => variableRow(name, soft === hard ? String(soft) : `${soft}:${hard}`)),
    health: spec.health.type,
    healthCommand: health?.command ?? "",
    healthInterval: timeText(health?.intervalMillis ?? 0),
    healthTimeout: timeText(health?.timeoutMillis ?? 0),
    healthStart: timeText(health?.startPeriodMillis ?? 0),
    healthStartInterval: timeText(health?.startIntervalMillis ?? 0),
    healthRetries: health?.retries ? String(health.retries) : "",
    logDriver: spec.logDriver ?? "",
    logOptions: pairRows(spec.logOptions),
    networks: spec.networks.map(({ name, aliases, ip, ip6 }) => networkRow(name, aliases.join(" "), ip ?? "", ip6 ?? "")),
    hostname: spec.hostname ?? "",
    dns: textRows(spec.dns),
    extraHosts: spec.extraHosts.map((host) => {
      const at = host.search(/[:=]/);
      return variableRow(host.slice(0, at), host.slice(at + 1));
    }),
    labels: pairRows(spec.labels),
    platform: spec.platform ?? "",
    pull: spec.pull,
    privileged: spec.privileged,
    readOnly: spec.readOnly,
    capAdd: textRows(spec.capAdd),
    capDrop: textRows(spec.capDrop),
    securityOptions: textRows(spec.securityOptions),
    devices: spec.devices.map(({ host, container, permissions }) =>
      textRow([host, container, permissions].filter((part) => part !== null).join(":")),
    ),
    sysctls: pairRows(spec.sysctls),
    rare: spec.rare.map(({ flag, value }) => rareRow(flag, value)),
  };
}

/** Why Run is off, in a few words; `null` when it is on. */
export function toFix(form: Form, answers: ReadonlyMap<string, PortAnswer>, nameTaken: string | null): string | null {
  if (form.image.trim() === "") return "Choose an image";
  if (/\s/.test(form.image.trim())) return "An image's name has no blanks";
  const ports = form.ports.filter((row) => portVerdict(form, row, answers).state === "bad").length;
  const wrong: string[] = [];
  if (ports > 0) wrong.push(`${ports} ${ports === 1 ? "port" : "ports"}`);
  if (nameWrong(form.name) !== null || (nameTaken !== null && nameTaken === form.name.trim())) wrong.push("the name");
  const variables = form.variables.filter((row) => variableWrong(row) !== null).length;
  if (variables > 0) wrong.push(`${variables} ${variables === 1 ? "variable" : "variables"}`);
  const mounts = form.mounts.filter((row) => mountWrong(form, row) !== null).length;
  if (mounts > 0) wrong.push(`${mounts} ${mounts === 1 ? "folder" : "folders"}`);
  if (commandWrong(form.command) !== null) wrong.push("the command");
  const limits = [sizeWrong(form.memory), sizeWrong(form.shmSize), numberWrong(form.cpus, false)];
  if (limits.some((limit) => limit !== null)) wrong.push("the resources");
  const times = [form.healthInterval, form.healthTimeout, form.healthStart, form.healthStartInterval].map(timeWrong);
  if (times.some((time) => time !== null)) wrong.push("the health check");
  if (form.removeWhenStopped && form.restart !== "no") wrong.push("what happens when it stops");
  if (wrong.length === 0) return null;
  const last = wrong.pop();
  return `${wrong.length > 0 ? `${wrong.join(", ")} and ` : ""}${last} to fix`.replace(/^[tw]/, (first) => first.toUpperCase());
}

/** The remedy of a taken port, done: the row that asked for it asks for another. */
export function usePort(form: Form, taken: number, instead: number): void {
  for (const row of form.ports) {
    if (portRange(row.host)?.first === taken) row.host = String(instead);
  }
}

/** Where a problem of the engine belongs in the form. */
export function placeOf(problem: Problem): "name" | "image" | "port" | "form" {
  if (problem.code === "nameTaken") return "name";
  if (problem.code === "imageNotFound") return "image";
  if (problem.code === "portTaken") return "port";
  return "form";
}
