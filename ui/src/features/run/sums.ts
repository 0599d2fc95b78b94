// What the closed parts of the form hold, in a few words each.

import { counted } from "$lib/format";
import type { Form } from "./form";

function joined(parts: (string | false)[], otherwise: string): string {
  return parts.filter((part) => part !== false && part !== "").join(", ") || otherwise;
}

export function startSum(form: Form): string {
  return joined(
    [
      form.noEntrypoint ? "no entrypoint" : form.entrypoint.trim(),
      form.workingDirectory.trim() !== "" && `in ${form.workingDirectory.trim()}`,
      form.user.trim() !== "" && `as ${form.user.trim()}`,
      form.terminal && "with a terminal",
      form.restart === "onFailure" && form.retries.trim() !== "" && `started again ${form.retries.trim()} times at most`,
    ],
    "As the image says",
  );
}

export function resourceSum(form: Form): string {
  return joined(
    [
      form.memory.trim() ? `Memory ${form.memory.trim()}` : "Memory no limit",
      form.cpus.trim() ? `CPU ${form.cpus.trim()}` : "CPU no limit",
      form.shmSize.trim() !== "" && `shared ${form.shmSize.trim()}`,
    ],
    "",
  );
}

export function gpuSum(form: Form): string {
  switch (form.gpu) {
    case "off":
      return "Off";
    case "all":
      return "All";
    case "count":
    case "devices":
      return form.gpuWhich.trim() || "None chosen";
  }
}

export function networkSum(form: Form): string {
  const names = form.networks.map(({ name }) => name.trim()).filter(Boolean);
  return names.length > 0 ? names.join(", ") : "bridge, the default";
}

export function healthSum(form: Form): string {
  switch (form.health) {
    case "image":
      return "As the image says";
    case "off":
      return "Off";
    case "own":
      return form.healthCommand.trim() || "My own";
  }
}

export function logSum(form: Form): string {
  return joined(
    [form.logDriver.trim(), form.labels.length > 0 && counted(form.labels.length, "label")],
    "The engine's log, no labels",
  );
}

export function rightsSum(form: Form): string {
  const given = form.capAdd.length + form.capDrop.length + form.devices.length + form.securityOptions.length;
  return joined(
    [form.privileged && "Every right", form.readOnly && "read-only", given > 0 && counted(given, "setting")],
    "As usual",
  );
}
