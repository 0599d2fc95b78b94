// What is done to containers, from the list and from a container's page alike.

import { offerUndo } from "$features/trash/undo";
import { call, problemOf, type ContainerSummary, type Problem, type TrashId } from "$lib/api";
import { announce } from "$lib/state/announce.svelte";
import { containers } from "$lib/state/inventory.svelte";
import { toasts } from "$lib/state/toasts.svelte";
import { SvelteMap } from "svelte/reactivity";
import { nameThem, type Doing } from "./rows";

/** By container id: what is under way, shown before the engine says so itself. */
export const doing = new SvelteMap<string, Doing>();

const PAST: Record<Doing, string> = {
  start: "is running",
  stop: "is stopped",
  restart: "is running again",
  pause: "stands still",
  resume: "goes on",
  kill: "is killed",
  remove: "is deleted",
};

const VERB: Record<Doing, string> = {
  start: "start",
  stop: "stop",
  restart: "restart",
  pause: "be paused",
  resume: "go on",
  kill: "be killed",
  remove: "be deleted",
};

type Target = Pick<ContainerSummary, "id" | "name">;

/** Of a removal: although it runs, with the volumes that only it has, and past the trash. */
type Options = { force?: boolean; volumes?: boolean; forever?: boolean };

async function perform({ id }: Target, what: Doing, options: Options): Promise<TrashId[]> {
  const { force = false, volumes = false, forever = false } = options;
  if (what === "remove") return (await call("container.remove", { id, force, volumes, forever })).kept;
  await simply(id, what);
  return [];
}

function simply(id: string, what: Exclude<Doing, "remove">): Promise<null> {
  switch (what) {
    case "start":
      return call("container.start", { id });
    case "stop":
      return call("container.stop", { id });
    case "restart":
      return call("container.restart", { id });
    case "pause":
      return call("container.act", { id, action: { type: "pause" } });
    case "resume":
      return call("container.act", { id, action: { type: "resume" } });
    case "kill":
      return call("container.act", { id, action: { type: "kill", signal: "KILL" } });
  }
}

type Done = { problem: Problem | null; kept: TrashId[] };

async function attempt(target: Target, what: Doing, options: Options): Promise<Done> {
  if (doing.has(target.id)) return { problem: null, kept: [] };
  doing.set(target.id, what);
  try {
    const kept = await perform(target, what, options);
    announce(`${target.name} ${PAST[what]}`);
    return { problem: null, kept };
  } catch (error) {
    const problem = problemOf(error);
    // It is gone already, which is what was asked for.
    return { problem: what === "remove" && problem.code === "notFound" ? null : problem, kept: [] };
  } finally {
    // The list first, the spinner after: in between, the row would show its old state again.
    await containers.refresh();
    doing.delete(target.id);
  }
}

/** So many at a time: an engine that is asked for two thousand things at once answers none of them. */
const AT_ONCE = 8;

/** One that fails does not keep the others from it. */
export async function act(targets: readonly Target[], what: Doing, options: Options = {}): Promise<void> {
  const waiting = [...targets];
  const problems: Problem[] = [];
  const gone: Target[] = [];
  const kept: TrashId[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const done = await attempt(next, what, options);
      if (done.problem) problems.push(done.problem);
      else gone.push(next);
      kept.push(...done.kept);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, targets.length) }, work));
  if (what === "remove" && gone.length > 0) offerUndo(`${nameThem(gone)} ${gone.length === 1 ? "is" : "are"} deleted`, kept);
  const [first] = problems;
  if (first === undefined) return;
  if (targets.length === 1 && targets[0] !== undefined) {
    const [target] = targets;
    const remedy =
      first.code === "inUse" && what === "remove"
        ? { label: `Stop and delete ${target.name}`, run: () => void act([target], "remove", { ...options, force: true }) }
        : first.action?.type === "retry"
          ? { label: "Try again", run: () => void act([target], what, options) }
          : null;
    toasts.trouble(first, remedy);
    return;
  }
  toasts.show(`${problems.length} of ${targets.length} could not ${VERB[what]}`, {
    kind: "bad",
    detail: first.message,
    stays: true,
  });
}
