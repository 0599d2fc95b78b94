// What is done to containers, from the list and from a container's page alike.

import { call, problemOf, type ContainerSummary, type Problem } from "$lib/api";
import { announce } from "$lib/state/announce.svelte";
import { containers } from "$lib/state/inventory.svelte";
import { toasts } from "$lib/state/toasts.svelte";
import { SvelteMap } from "svelte/reactivity";
import type { Doing } from "./rows";

/** By container id: what is under way, shown before the engine says so itself. */
export const doing = new SvelteMap<string, Doing>();

const PAST: Record<Doing, string> = {
  start: "is running",
  stop: "is stopped",
  restart: "is running again",
  remove: "is deleted",
};

type Target = Pick<ContainerSummary, "id" | "name">;

function perform({ id }: Target, what: Doing, force: boolean): Promise<null> {
  switch (what) {
    case "start":
      return call("container.start", { id });
    case "stop":
      return call("container.stop", { id });
    case "restart":
      return call("container.restart", { id });
    case "remove":
      return call("container.remove", { id, force });
  }
}

/** Resolves to what went wrong, if anything did. */
async function attempt(target: Target, what: Doing, force: boolean): Promise<Problem | null> {
  if (doing.has(target.id)) return null;
  doing.set(target.id, what);
  try {
    await perform(target, what, force);
    announce(`${target.name} ${PAST[what]}`);
    return null;
  } catch (error) {
    const problem = problemOf(error);
    // It is gone already, which is what was asked for.
    return what === "remove" && problem.code === "notFound" ? null : problem;
  } finally {
    // The list first, the spinner after: in between, the row would show its old state again.
    await containers.refresh();
    doing.delete(target.id);
  }
}

/** All at once; one that fails does not keep the others from it. */
export async function act(targets: Target[], what: Doing, force = false): Promise<void> {
  const problems = (await Promise.all(targets.map((target) => attempt(target, what, force)))).filter((p) => p !== null);
  const [first] = problems;
  if (first === undefined) return;
  if (targets.length === 1 && targets[0] !== undefined) {
    const [target] = targets;
    const remedy =
      first.code === "inUse" && what === "remove"
        ? { label: `Stop and delete ${target.name}`, run: () => void act([target], "remove", true) }
        : first.action?.type === "retry"
          ? { label: "Try again", run: () => void act([target], what, force) }
          : null;
    toasts.trouble(first, remedy);
    return;
  }
  const verb = { start: "start", stop: "stop", restart: "restart", remove: "be deleted" }[what];
  toasts.show(`${problems.length} of ${targets.length} could not ${verb}`, {
    kind: "bad",
    detail: first.message,
    stays: true,
  });
}
