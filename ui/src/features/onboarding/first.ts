import type { RunSpec } from "$lib/api";

export const FIRST_IMAGE = "nginx";
export const WANTED_PORT = 8080;

/** A web server: something to see in the browser after one click. */
export function firstSpec(hostPort: number): RunSpec {
  return {
    image: FIRST_IMAGE,
    name: null,
    ports: [{ hostAddress: null, hostPort, containerPort: 80, protocol: "tcp" }],
    environment: [],
    command: [],
    removeWhenStopped: false,
  };
}
