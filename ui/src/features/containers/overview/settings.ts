// What was set for a container besides its ports, variables, mounts and limits. What is as usual is left out.

import { capacity } from "$lib/format";
import type { RawInspect } from "./overview";

export type SettingRow = { name: string; values: string[] };

const USUAL_SHARED_MEMORY = 64 << 20;
const USUAL_LOG = "json-file";
const USUAL_SHARES = 1024;

export function settings(inspect: RawInspect, id: string): SettingRow[] {
  const { Config: config, HostConfig: host } = inspect;
  const rows: SettingRow[] = [];
  const put = (name: string, ...values: (string | false | null | undefined)[]) => {
    const given = values.filter((value) => typeof value === "string" && value !== "");
    if (given.length > 0) rows.push({ name, values: given as string[] });
  };
  const pairs = (record: Record<string, string> | null | undefined) =>
    Object.entries(record ?? {}).map(([name, value]) => `${name}=${value}`);

  const hostname = config?.Hostname ?? "";
  put("Host name", hostname !== "" && !id.startsWith(hostname) && hostname);
  put("Domain", config?.Domainname);
  put("Name servers", ...(host?.Dns ?? []));
  put("Short names end in", ...(host?.DnsSearch ?? []));
  put("Name options", ...(host?.DnsOptions ?? []));
  put("Names it knows", ...(host?.ExtraHosts ?? []));
  put("Linked to", ...(host?.Links ?? []));
  put("Terminal", config?.Tty === true && "It has one");
  put("Input", config?.OpenStdin === true && "Stays open");
  put("First program", host?.Init === true && "A small init");
  put("Asked to end by", config?.StopSignal !== "SIGTERM" && config?.StopSignal);
  put("Ended by force", typeof config?.StopTimeout === "number" && `after ${config.StopTimeout} s`);
  put("Its own files", host?.ReadonlyRootfs === true && "Read only");
  put("More groups", ...(host?.GroupAdd ?? []));
  put("Rights it gets", ...(host?.CapAdd ?? []));
  put("Rights it loses", ...(host?.CapDrop ?? []));
  put("Security", ...(host?.SecurityOpt ?? []));
  put("Devices", ...(host?.Devices ?? []).map((device) => deviceWords(device)));
  put("Rules for devices", ...(host?.DeviceCgroupRules ?? []));
  put("GPUs", ...(host?.DeviceRequests ?? []).map((request) => gpuWords(request)));
  put("Volumes of", ...(host?.VolumesFrom ?? []));
  put("Storage", ...pairs(host?.StorageOpt));
  const [memory, swap, kept, shares] = [host?.Memory ?? 0, host?.MemorySwap ?? 0, host?.MemoryReservation ?? 0, host?.CpuShares ?? 0];
  // The engine counts both together, and gives as much of the one as of the other by itself.
  put("Swap", swap > 0 && swap !== 2 * memory && (swap === memory ? "None" : capacity(swap - memory)));
  put("Memory kept for it", kept > 0 && capacity(kept));
  put("When memory is short", host?.OomKillDisable === true && "It is not ended", turnWords(host?.OomScoreAdj ?? 0));
  put("Share of the processor", shares > 0 && shares !== USUAL_SHARES && `${shares}, where ${USUAL_SHARES} is usual`);
  put("Processor cores", host?.CpusetCpus);
  const shared = host?.ShmSize ?? 0;
  put("Shared memory", shared > 0 && shared !== USUAL_SHARED_MEMORY && capacity(shared));
  put("Its programs' limits", ...(host?.Ulimits ?? []).map(({ Name, Soft, Hard }) => `${Name} ${Soft === Hard ? Soft : `${Soft}:${Hard}`}`));
  put("Kernel settings", ...pairs(host?.Sysctls));
  const log = [host?.LogConfig?.Type ?? "", ...pairs(host?.LogConfig?.Config)];
  if (log[0] !== "" && (log[0] !== USUAL_LOG || log.length > 1)) put("Log", ...log);
  put("Runtime", host?.Runtime !== "runc" && host?.Runtime);
  put("Control group", host?.CgroupParent);
  put("Sees processes of", host?.PidMode);
  put("Shares memory with", !["private", "shareable"].includes(host?.IpcMode ?? "") && host?.IpcMode);
  put("Host name of", host?.UTSMode);
  put("Users of", host?.UsernsMode);
  return rows;
}

/** Linux ends what has the highest score first. */
function turnWords(score: number): string | null {
  return score === 0 ? null : `Ended ${score > 0 ? "before" : "after"} others, score ${score}`;
}

function deviceWords({ PathOnHost, PathInContainer }: { PathOnHost?: string; PathInContainer?: string }): string {
  const [from, to] = [PathOnHost ?? "", PathInContainer ?? ""];
  return from === to || to === "" ? from : `${from} → ${to}`;
}

function gpuWords({ Count, DeviceIDs }: { Count?: number; DeviceIDs?: string[] | null }): string {
  if (DeviceIDs && DeviceIDs.length > 0) return DeviceIDs.join(", ");
  return Count === undefined || Count < 0 ? "All" : String(Count);
}
