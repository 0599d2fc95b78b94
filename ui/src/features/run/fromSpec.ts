// The form that a spec fills.

import type { RunSpec, Variable } from "$lib/api";
import { mountRow, networkRow, portRow, rareRow, textRow, variableRow, type Form } from "./form";
import { emptySpec } from "./spec";
import { sizeText, timeText } from "./units";
import { asText } from "./words";

export function emptyForm(image = ""): Form {
  return fromSpec(emptySpec(image));
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
