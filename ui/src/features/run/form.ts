// The run form: what the person typed.

import type { Protocol, PullPolicy, Restart } from "$lib/api";

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
