// What is wrong with the form, in a few words for each field.

import type { PortAnswer, Problem } from "$lib/api";
import type { Form, MountRow, VariableRow } from "./form";
import { portVerdict } from "./portRows";
import { parseSize, parseTime } from "./units";
import { words } from "./words";

export function nameWrong(name: string): string | null {
  const trimmed = name.trim();
  if (trimmed === "" || /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(trimmed)) return null;
  if (trimmed.length === 1) return "A name has two characters or more";
  return "Letters, digits, and _ . - after the first";
}

export function commandWrong(command: string): string | null {
  return words(command) === null ? "A quote is not closed" : null;
}

export function variableWrong(row: VariableRow): string | null {
  const name = row.name.trim();
  if (name === "") return row.value === "" ? null : "A value without a name";
  return /[=\s\0]/.test(name) ? "A name has no blanks and no =" : null;
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

/** What Linux takes; a host name's own rules are stricter, and nothing holds a container to them. */
export function hostnameWrong(name: string): string | null {
  const trimmed = name.trim();
  if (/\s/.test(trimmed)) return "A host name has no blanks";
  return trimmed.length > 63 ? "A host name has at most 63 characters" : null;
}

/** `1024` or `1024:2048`; -1 is no limit. */
export function ulimitWrong({ name, value }: Pick<VariableRow, "name" | "value">): string | null {
  if (name.trim() === "") return value.trim() === "" ? null : "A limit without a name";
  return /^\s*-?\d+\s*(:\s*-?\d+\s*)?$/.test(value) ? null : "A number, or two like 1024:2048";
}

export function gpuWrong({ gpu, gpuWhich }: Pick<Form, "gpu" | "gpuWhich">): string | null {
  if (gpu === "count") return /^[1-9]\d*$/.test(gpuWhich.trim()) ? null : "How many, like 1";
  return gpu === "devices" && gpuWhich.trim() === "" ? "Which ones, like 0,1" : null;
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
  const retries = form.restart === "onFailure" ? numberWrong(form.retries) : null;
  if (retries !== null || numberWrong(form.stopTimeout) !== null) wrong.push("how it starts and stops");
  const limits = [
    sizeWrong(form.memory),
    sizeWrong(form.shmSize),
    numberWrong(form.cpus, false),
    ...form.ulimits.map(ulimitWrong),
  ];
  if (limits.some((limit) => limit !== null)) wrong.push("the resources");
  if (gpuWrong(form) !== null) wrong.push("the GPUs");
  if (hostnameWrong(form.hostname) !== null) wrong.push("the host name");
  const times = [form.healthInterval, form.healthTimeout, form.healthStart, form.healthStartInterval].map(timeWrong);
  const check = form.health === "own" ? [...times, numberWrong(form.healthRetries)] : [];
  if (check.some((part) => part !== null)) wrong.push("the health check");
  if (form.removeWhenStopped && form.restart !== "no") wrong.push("what happens when it stops");
  if (wrong.length === 0) return null;
  const last = wrong.pop();
  return `${wrong.length > 0 ? `${wrong.join(", ")} and ` : ""}${last} to fix`.replace(/^[a-z]/, (first) => first.toUpperCase());
}

/** Where a problem of the engine belongs in the form. */
export function placeOf(problem: Problem): "name" | "image" | "port" | "form" {
  if (problem.code === "nameTaken") return "name";
  if (problem.code === "imageNotFound") return "image";
  if (problem.code === "portTaken") return "port";
  return "form";
}
