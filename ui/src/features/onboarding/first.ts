import { emptySpec, published } from "$features/run/spec";
import type { RunSpec } from "$lib/api";

export const FIRST_IMAGE = "nginx";
export const WANTED_PORT = 8080;

/** A web server: something to see in the browser after one click. */
export function firstSpec(hostPort: number): RunSpec {
  return { ...emptySpec(FIRST_IMAGE), ports: [published(hostPort, 80)] };
}
