// What the actions of a container ask for, and what comes of it.

import type { ContainerAction, ContainerSummary, Restart } from "$lib/api";
import { parseSize, sizeText } from "$features/run/units";
import type { Limits } from "../overview/overview";

export type AskedKind = "stop" | "kill" | "rename" | "commit" | "limits";

export type Fields = {
  seconds: string;
  signal: string;
  name: string;
  reference: string;
  memory: string;
  cpus: string;
  restart: Restart["type"];
  retries: string;
};

const LEAST_BYTES = 6 << 20;

export function fieldsOf(container: Pick<ContainerSummary, "name">, limits: Limits | null): Fields {
  return {
    seconds: "30",
    signal: "KILL",
    name: container.name,
    reference: "",
    memory: limits && limits.memory > 0 ? sizeText(limits.memory) : "",
    cpus: limits && limits.cpus > 0 ? String(limits.cpus) : "",
    restart: limits?.restart.type ?? "no",
    retries: limits?.restart.type === "onFailure" && limits.restart.retries !== null ? String(limits.restart.retries) : "",
  };
}

/** The action, or a sentence about what is wrong; "" while something is still to be filled in. */
export function actionOf(kind: AskedKind, fields: Fields, name: string, limits: Limits | null): ContainerAction | string {
  const whole = (text: string) => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : null);
  switch (kind) {
    case "stop": {
      const seconds = whole(fields.seconds);
      return seconds === null ? "Seconds are a whole number" : { type: "stop", seconds };
    }
    case "kill":
      return { type: "kill", signal: fields.signal };
    case "rename": {
      const wanted = fields.name.trim();
      if (wanted === "" || wanted === name) return "";
      return /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(wanted)
        ? { type: "rename", name: wanted }
        : "A name has letters, digits, dots, hyphens and underscores";
    }
    case "commit": {
      const reference = fields.reference.trim();
      if (reference === "") return "";
      return /^[a-z0-9][a-z0-9._/:-]*$/.test(reference)
        ? { type: "commit", reference }
        : "An image's name has small letters, digits, dots, hyphens and slashes";
    }
    case "limits": {
      const memory = fields.memory.trim() === "" ? 0 : parseSize(fields.memory);
      if (memory === null) return "Memory is written like 512m or 2g";
      if (memory > 0 && memory < LEAST_BYTES) return "A container needs at least 6 MB";
      const cpus = fields.cpus.trim() === "" ? 0 : Number(fields.cpus.trim().replace(",", "."));
      if (!Number.isFinite(cpus) || cpus < 0) return "Cores are a number such as 1.5";
      const retries = fields.retries.trim() === "" ? 0 : whole(fields.retries);
      if (retries === null) return "How many times is a whole number";
      const restart: Restart = fields.restart === "onFailure" ? { type: "onFailure", retries: retries || null } : { type: fields.restart };
      const before = fieldsOf({ name }, limits);
      const action: ContainerAction = {
        type: "update",
        memory: fields.memory.trim() === before.memory ? null : memory,
        cpus: fields.cpus.trim() === before.cpus ? null : cpus,
        restart: fields.restart === before.restart && fields.retries.trim() === before.retries ? null : restart,
      };
      return action.memory === null && action.cpus === null && action.restart === null ? "" : action;
    }
  }
}

export function titleOf(kind: AskedKind, name: string): string {
  switch (kind) {
    case "stop":
      return `Stop ${name} with a time`;
    case "kill":
      return `Kill ${name}?`;
    case "rename":
      return `Rename ${name}`;
    case "commit":
      return `Make an image of ${name}`;
    case "limits":
      return `Limits of ${name}`;
  }
}

export function buttonOf(kind: AskedKind, fields: Fields): string {
  switch (kind) {
    case "stop":
      return "Stop";
    case "kill":
      return fields.signal === "KILL" ? "Kill" : `Send ${fields.signal}`;
    case "rename":
      return "Rename";
    case "commit":
      return "Make the image";
    case "limits":
      return "Set the limits";
  }
}

/** What is told when it is done. */
export function doneOf(name: string, action: ContainerAction): string {
  switch (action.type) {
    case "stop":
      return `${name} is stopped`;
    case "kill":
      return action.signal === "KILL" ? `${name} is killed` : `${action.signal} was sent to ${name}`;
    case "pause":
      return `${name} is paused`;
    case "resume":
      return `${name} goes on`;
    case "rename":
      return `${name} is called ${action.name} now`;
    case "commit":
      return `${action.reference} is made of ${name}`;
    case "update":
      return `The limits of ${name} are set`;
  }
}
