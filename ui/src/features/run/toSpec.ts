// The spec that the form makes.

import type { Gpus, HealthSetting, ImageDetail, PublishedPort, Restart, RunMount, RunSpec, Ulimit, Variable } from "$lib/api";
import type { Form, TextRow, VariableRow } from "./form";
import { portRange } from "./portRows";
import { parseSize, parseTime } from "./units";
import { words } from "./words";
import { mountWrong } from "./wrong";

/** Variables of the image are its defaults: only what differs from them is passed on. */
export function variablesOf(rows: VariableRow[], detail: ImageDetail | null): Variable[] {
  const defaults = new Map(detail?.environment.map(({ name, value }) => [name, value]));
  return rows
    .map(({ name, value }) => ({ name: name.trim(), value }))
    .filter(({ name, value }) => name !== "" && defaults.get(name) !== value);
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
