// What `docker inspect` says, as the overview shows it. Everything may be missing: engines of many versions answer.

import type { Restart, Variable } from "$lib/api";
import { secretShown } from "$lib/secret";

type Maybe<T> = T | null | undefined;

export type RawInspect = {
  Created?: string;
  Path?: string;
  Args?: Maybe<string[]>;
  RestartCount?: number;
  Platform?: string;
  State?: Maybe<{
    StartedAt?: string;
    FinishedAt?: string;
    Health?: Maybe<{ Status?: string; FailingStreak?: number; Log?: Maybe<HealthEntry[]> }>;
  }>;
  Config?: Maybe<{
    User?: string;
    WorkingDir?: string;
    Env?: Maybe<string[]>;
    Hostname?: string;
    Domainname?: string;
    Tty?: boolean;
    OpenStdin?: boolean;
    StopSignal?: string;
    StopTimeout?: Maybe<number>;
    Healthcheck?: Maybe<{ Test?: Maybe<string[]>; Interval?: number }>;
  }>;
  HostConfig?: Maybe<{
    Memory?: number;
    MemorySwap?: number;
    MemoryReservation?: number;
    OomKillDisable?: Maybe<boolean>;
    OomScoreAdj?: number;
    CpuShares?: number;
    CpusetCpus?: string;
    NanoCpus?: number;
    CpuQuota?: number;
    CpuPeriod?: number;
    PidsLimit?: Maybe<number>;
    ShmSize?: number;
    RestartPolicy?: Maybe<{ Name?: string; MaximumRetryCount?: number }>;
    AutoRemove?: boolean;
    Privileged?: boolean;
    ReadonlyRootfs?: boolean;
    GroupAdd?: Maybe<string[]>;
    CapAdd?: Maybe<string[]>;
    CapDrop?: Maybe<string[]>;
    SecurityOpt?: Maybe<string[]>;
    Devices?: Maybe<{ PathOnHost?: string; PathInContainer?: string }[]>;
    DeviceCgroupRules?: Maybe<string[]>;
    DeviceRequests?: Maybe<{ Count?: number; DeviceIDs?: Maybe<string[]> }[]>;
    Ulimits?: Maybe<{ Name?: string; Soft?: number; Hard?: number }[]>;
    Sysctls?: Maybe<Record<string, string>>;
    Dns?: Maybe<string[]>;
    DnsSearch?: Maybe<string[]>;
    DnsOptions?: Maybe<string[]>;
    ExtraHosts?: Maybe<string[]>;
    Init?: Maybe<boolean>;
    Tmpfs?: Maybe<Record<string, string>>;
    StorageOpt?: Maybe<Record<string, string>>;
    VolumesFrom?: Maybe<string[]>;
    Links?: Maybe<string[]>;
    CgroupParent?: string;
    Runtime?: string;
    IpcMode?: string;
    PidMode?: string;
    UTSMode?: string;
    UsernsMode?: string;
    LogConfig?: Maybe<{ Type?: string; Config?: Maybe<Record<string, string>> }>;
  }>;
  Mounts?: Maybe<RawMount[]>;
  NetworkSettings?: Maybe<{
    Networks?: Maybe<Record<string, Maybe<{ IPAddress?: string; GlobalIPv6Address?: string; Aliases?: Maybe<string[]> }>>>;
  }>;
};

type HealthEntry = { Start?: string; End?: string; ExitCode?: number; Output?: string };
type RawMount = { Type?: string; Name?: string; Source?: string; Destination?: string; RW?: boolean };

export type EnvironmentRow = { name: string; value: string; shown: string; secret: boolean; image: boolean };

/** What the person set comes first; what the image has set by itself, after it. */
export function environment(inspect: RawInspect, image: Variable[]): EnvironmentRow[] {
  const own = new Map(image.map(({ name, value }) => [name, value]));
  const rows = (inspect.Config?.Env ?? []).map((entry) => {
    const at = entry.indexOf("=");
    const name = at < 0 ? entry : entry.slice(0, at);
    const value = at < 0 ? "" : entry.slice(at + 1);
    const shown = secretShown(name, value);
    return { name, value, shown, secret: shown !== value, image: own.get(name) === value };
  });
  return [...rows.filter(({ image }) => !image), ...rows.filter(({ image }) => image)];
}

export type MountRow = { kind: "volume" | "folder" | "memory" | "other"; from: string; to: string; writable: boolean };

export function mounts(inspect: RawInspect): MountRow[] {
  const mounted = (inspect.Mounts ?? []).map(
    ({ Type, Name, Source, Destination, RW }): MountRow => ({
      kind: Type === "volume" ? "volume" : Type === "bind" ? "folder" : Type === "tmpfs" ? "memory" : "other",
      from: (Type === "volume" ? Name : Source) || (Type === "tmpfs" ? "memory" : (Type ?? "")),
      to: Destination ?? "",
      writable: RW !== false,
    }),
  );
  // Those of --tmpfs are not among the engine's mounts.
  const inMemory = Object.entries(inspect.HostConfig?.Tmpfs ?? {}).map(
    ([to, options]): MountRow => ({ kind: "memory", from: "memory", to, writable: !options.split(",").includes("ro") }),
  );
  return [...mounted, ...inMemory];
}

export type HealthView = {
  word: "Healthy" | "Unhealthy" | "Not checked yet";
  checks: { ok: boolean; when: string; output: string }[];
  failing: number;
};

/** `null` when nobody asks the container how it is. */
export function health(inspect: RawInspect): HealthView | null {
  const found = inspect.State?.Health;
  if (!found || !found.Status || found.Status === "none") return null;
  return {
    word: found.Status === "healthy" ? "Healthy" : found.Status === "unhealthy" ? "Unhealthy" : "Not checked yet",
    checks: (found.Log ?? []).map(({ End, ExitCode, Output }) => ({
      ok: ExitCode === 0,
      when: End ?? "",
      output: (Output ?? "").trim(),
    })),
    failing: found.FailingStreak ?? 0,
  };
}

export type Limits = { memory: number; cpus: number; processes: number; restart: Restart };

/** 0 is no limit. */
export function limits(inspect: RawInspect): Limits {
  const host = inspect.HostConfig ?? {};
  const quota = host.CpuQuota && host.CpuPeriod ? host.CpuQuota / host.CpuPeriod : 0;
  return {
    memory: host.Memory ?? 0,
    cpus: host.NanoCpus ? host.NanoCpus / 1e9 : Math.max(0, quota),
    processes: Math.max(0, host.PidsLimit ?? 0),
    restart: restartPolicy(host.RestartPolicy?.Name, host.RestartPolicy?.MaximumRetryCount),
  };
}

function restartPolicy(name: Maybe<string>, retries: Maybe<number>): Restart {
  switch (name) {
    case "always":
      return { type: "always" };
    case "unless-stopped":
      return { type: "unlessStopped" };
    case "on-failure":
      return { type: "onFailure", retries: retries || null };
    default:
      return { type: "no" };
  }
}

export function restartWords(policy: Restart): string {
  switch (policy.type) {
    case "no":
      return "Never by itself";
    case "always":
      return "Always, also with the engine";
    case "unlessStopped":
      return "Always, unless you stopped it";
    case "onFailure":
      return policy.retries === null ? "When it fails" : `When it fails, at most ${policy.retries} times`;
  }
}

export type NetworkRow = { name: string; address: string; names: string[] };

export function networks(inspect: RawInspect): NetworkRow[] {
  return Object.entries(inspect.NetworkSettings?.Networks ?? {}).map(([name, network]) => ({
    name,
    address: network?.IPAddress || network?.GlobalIPv6Address || "",
    names: (network?.Aliases ?? []).filter((alias) => !/^[0-9a-f]{12}$/.test(alias)),
  }));
}

/** Who reaches a container that publishes nothing. */
export function withoutPorts(rows: readonly NetworkRow[]): string {
  if (rows.some(({ name }) => name === "host")) {
    return "It has no network of its own: what it listens on is a port of the engine's, and needs no publishing.";
  }
  if (rows.some(({ name }) => name === "none")) return "It has no network. Nobody reaches it.";
  return "No ports published. Only other containers on its network reach it.";
}

/** Years before 1970 are how engines say "never". */
export function secondsOf(time: Maybe<string>): number | null {
  const millis = time ? Date.parse(time) : Number.NaN;
  return Number.isFinite(millis) && millis > 0 ? Math.floor(millis / 1000) : null;
}
