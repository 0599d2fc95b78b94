// What can be done to one container of the list and to all that are selected, each with its command.

import Copy from "@lucide/svelte/icons/copy";
import ExternalLink from "@lucide/svelte/icons/external-link";
import OctagonX from "@lucide/svelte/icons/octagon-x";
import Pause from "@lucide/svelte/icons/pause";
import Pencil from "@lucide/svelte/icons/pencil";
import Play from "@lucide/svelte/icons/play";
import RotateCw from "@lucide/svelte/icons/rotate-cw";
import ScrollText from "@lucide/svelte/icons/scroll-text";
import Square from "@lucide/svelte/icons/square";
import StepForward from "@lucide/svelte/icons/step-forward";
import SquareTerminal from "@lucide/svelte/icons/square-terminal";
import Timer from "@lucide/svelte/icons/timer";
import Trash2 from "@lucide/svelte/icons/trash-2";
import type { ContainerSummary } from "$lib/api";
import type { BulkAction } from "$lib/components/BulkBar.svelte";
import type { MenuItem } from "$lib/components/Menu.svelte";
import type { AskedKind } from "../actions/asked";
import { act } from "../actions.svelte";
import { commandFor, isUp, removal, removalCommand, type Doing } from "../rows";
import { copyRunLine } from "../runline";

/** `browse` is `null` where no port answers a browser. */
type Ways = {
  open: (tab: "logs" | "terminal") => void;
  browse: (() => void) | null;
  ask: (kind: AskedKind) => void;
  remove: () => void;
};

function removalText(containers: ContainerSummary[]): string {
  return removalCommand(containers, { force: removal(containers).force, volumes: false }).text;
}

export function menuOf(container: ContainerSummary, { open, browse, ask, remove }: Ways): MenuItem[] {
  const up = isUp(container.state);
  const one = [container];
  const does = (what: Doing) => ({ command: commandFor(what, one), run: () => void act(one, what) });
  const wanted: (MenuItem | null)[] = [
    up
      ? { label: "Stop", icon: Square, keys: "S", ...does("stop") }
      : { label: "Start", icon: Play, keys: "S", ...does("start") },
    up ? { label: "Stop with a time…", icon: Timer, command: `docker stop -t 30 ${container.name}`, run: () => ask("stop") } : null,
    up ? { label: "Restart", icon: RotateCw, keys: "R", ...does("restart") } : null,
    container.state === "running" ? { label: "Pause", icon: Pause, ...does("pause") } : null,
    container.state === "paused" ? { label: "Resume", icon: StepForward, ...does("resume") } : null,
    { label: "Logs", icon: ScrollText, keys: "L", command: `docker logs ${container.name}`, run: () => open("logs") },
    container.state === "running"
      ? { label: "Terminal", icon: SquareTerminal, keys: "T", run: () => open("terminal") }
      : null,
    browse ? { label: "Open in browser", icon: ExternalLink, keys: "O", run: browse } : null,
    "line",
    { label: "Rename…", icon: Pencil, command: `docker rename ${container.name} NAME`, run: () => ask("rename") },
    { label: "Copy its docker run line", icon: Copy, keys: "Ctrl C", run: () => void copyRunLine(one) },
    "line",
    up ? { label: "Kill", icon: OctagonX, danger: true, ...does("kill") } : null,
    { label: "Delete…", icon: Trash2, keys: "Del", danger: true, command: removalText(one), run: remove },
  ];
  return wanted.filter((item) => item !== null);
}

const NOT_UP = "None of them is running";

export function bulkActions(chosen: ContainerSummary[], remove: () => void): BulkAction[] {
  const up = chosen.filter(({ state }) => isUp(state));
  const down = chosen.filter(({ state }) => !isUp(state));
  const does = (what: Doing, targets: ContainerSummary[], reason: string) => ({
    command: commandFor(what, targets),
    disabled: targets.length === 0,
    reason,
    run: () => void act(targets, what),
  });
  return [
    { label: "Start", icon: Play, ...does("start", down, "All of them are running") },
    { label: "Restart", icon: RotateCw, ...does("restart", up, NOT_UP) },
    { label: "Stop", icon: Square, ...does("stop", up, NOT_UP) },
    { label: "Delete…", icon: Trash2, danger: true, command: removalText(chosen), run: remove },
  ];
}

export function bulkMore(chosen: ContainerSummary[]): MenuItem[] {
  const does = (what: Doing, targets: ContainerSummary[]) => ({
    command: targets.length > 0 ? commandFor(what, targets) : undefined,
    disabled: targets.length === 0,
    run: () => void act(targets, what),
  });
  const running = chosen.filter(({ state }) => state === "running");
  const paused = chosen.filter(({ state }) => state === "paused");
  const up = chosen.filter(({ state }) => isUp(state));
  return [
    { label: "Pause", icon: Pause, ...does("pause", running) },
    { label: "Resume", icon: StepForward, ...does("resume", paused) },
    "line",
    { label: "Kill", icon: OctagonX, danger: true, ...does("kill", up) },
  ];
}
