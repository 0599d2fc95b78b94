// A container to be made, as the app takes it, and how its sizes and times are written.

import { call, type CommandLine, type PublishedPort, type RunSpec } from "$lib/api";

/** Nothing but what `docker run` does by itself. */
export function emptySpec(image = ""): RunSpec {
  return {
    image,
    name: null,
    platform: null,
    pull: "missing",
    entrypoint: null,
    command: [],
    workingDirectory: null,
    user: null,
    interactive: false,
    terminal: false,
    init: false,
    removeWhenStopped: false,
    restart: { type: "no" },
    stopSignal: null,
    stopTimeout: null,
    ports: [],
    publishAll: false,
    mounts: [],
    environment: [],
    envFiles: [],
    labels: [],
    memory: null,
    cpus: null,
    shmSize: null,
    gpus: null,
    ulimits: [],
    health: { type: "image" },
    logDriver: null,
    logOptions: [],
    networks: [],
    hostname: null,
    dns: [],
    extraHosts: [],
    privileged: false,
    readOnly: false,
    capAdd: [],
    capDrop: [],
    securityOptions: [],
    devices: [],
    sysctls: [],
    rare: [],
  };
}

export function published(hostPort: number | null, containerPort: number): PublishedPort {
  return { hostAddress: null, hostPort, hostLast: null, containerPort, containerLast: null, protocol: "tcp" };
}

/** The line for a POSIX shell, without secrets. */
export async function lineOf(spec: RunSpec): Promise<CommandLine> {
  return (await call("container.command", { spec, shell: "posix", secrets: false })).command;
}
