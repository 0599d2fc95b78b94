import type {
  EngineInfo,
  EngineOrigin,
  EngineStatus,
  Failure,
  MachineRunning,
  MachineState,
  StartStep,
  StepReport,
} from "$lib/api";

/** The engine as the person sees it: one word for the pages to branch on. */
export type EngineView =
  | { type: "loading" }
  | { type: "running"; info: EngineInfo; machine: MachineRunning | null }
  | { type: "starting"; step: StartStep }
  | { type: "stopping" }
  | { type: "suspending" }
  /** Everything goes on where it was when it is started; by itself when it fell asleep. */
  | { type: "asleep"; sinceMillis: number; wakes: boolean }
  | { type: "stopped" }
  /** This computer's disk is full; it goes on by itself when there is room. */
  | { type: "standsStill" }
  | { type: "failed"; failure: Failure }
  /** An engine that is not ours does not answer, or there is none at all. */
  | { type: "away"; reason: string };

/** Whether the engine in use, or the one that would be, is Wherry's own machine. */
export function usesMachine(status: EngineStatus): boolean {
  if (status.origin) return status.origin.type === "machine";
  return status.choice.type === "machine" || status.choice.type === "auto";
}

/** In these a connection that is still there is about to end. */
const LEAVING = new Set<MachineState["type"]>(["stopping", "suspending", "suspended"]);

export function engineView(status: EngineStatus | null): EngineView {
  if (!status) return { type: "loading" };
  const { connection, machine } = status;
  const ours = usesMachine(status);

  // Connected or not, it answers nothing.
  if (ours && machine.state.type === "running" && machine.state.running.hostRoom === "standsStill")
    return { type: "standsStill" };
  if (connection.type === "connected" && !(ours && LEAVING.has(machine.state.type))) {
    const running = ours && machine.state.type === "running" ? machine.state.running : null;
    return { type: "running", info: connection.info, machine: running };
  }
  if (!ours && connection.type === "away") return { type: "away", reason: connection.reason };
  if (!ours) return { type: "loading" };

  switch (machine.state.type) {
    case "starting":
      return { type: "starting", step: machine.state.step };
    case "running":
      // Its engine answers the machine and not yet us.
      return { type: "starting", step: "connect" };
    case "stopping":
      return { type: "stopping" };
    case "suspending":
      return { type: "suspending" };
    case "suspended":
      return { type: "asleep", sinceMillis: machine.state.sinceMillis, wakes: machine.state.wakes };
    case "failed":
      return { type: "failed", failure: machine.state.failure };
    case "stopped":
      return status.machineUnavailable ? { type: "failed", failure: status.machineUnavailable } : { type: "stopped" };
  }
}

/** Which of the four sails it is. */
export function sailOf(view: EngineView): "running" | "starting" | "stopped" | "error" {
  switch (view.type) {
    case "running":
      return "running";
    case "loading":
    case "starting":
    case "stopping":
    case "suspending":
      return "starting";
    case "stopped":
    case "asleep":
      return "stopped";
    case "standsStill":
    case "failed":
    case "away":
      return "error";
  }
}

export function engineWords(view: EngineView): string {
  switch (view.type) {
    case "loading":
      return "Looking for the engine";
    case "running":
      return "Engine running";
    case "starting":
      return "Engine starting";
    case "stopping":
      return "Engine stopping";
    case "suspending":
      return "Engine falling asleep";
    case "asleep":
      return view.wakes ? "Engine asleep" : "Engine suspended";
    case "stopped":
      return "Engine stopped";
    case "standsStill":
      return "Engine stands still";
    case "failed":
      return view.failure.step === null ? "Engine stopped working" : "Engine could not start";
    case "away":
      return "Engine does not answer";
  }
}

export type TimelineStep = {
  step: StartStep;
  title: string;
  state: "done" | "now" | "wait" | "failed";
  detail: string | null;
  millis: number | null;
};

const TITLES: Record<StartStep, string> = {
  check: "Check this computer",
  disk: "Prepare the disk",
  linux: "Start Linux",
  data: "Open your data",
  engine: "Start the container engine",
  connect: "Connect to it",
};

export const STEPS = Object.keys(TITLES) as StartStep[];

/** All steps of a start, those to come as well, with what is known of each. */
export function timeline(reports: StepReport[], view: EngineView): TimelineStep[] {
  const failed = view.type === "failed" ? view.failure.step : null;
  return STEPS.map((step) => {
    const report = reports.find((report) => report.step === step);
    const state = ((): TimelineStep["state"] => {
      if (step === failed) return "failed";
      if (report && report.millis !== null) return "done";
      if (view.type === "running") return "done";
      if (view.type === "starting" && view.step === step) return "now";
      return "wait";
    })();
    return { step, title: TITLES[step], state, detail: report?.detail ?? null, millis: report?.millis ?? null };
  });
}

/** Where an engine was found, in one sentence. */
export function originWords(origin: EngineOrigin): string {
  switch (origin.type) {
    case "environment":
      return "Named by DOCKER_HOST.";
    case "context":
      return `Named by the docker context ${origin.name}.`;
    case "system":
      return "Installed on this computer.";
    case "rootless":
      return "Rootless, in your account.";
    case "podman":
      return "Podman, in your account.";
    case "machine":
      return "Wherry's own machine.";
    case "chosen":
      return "The address you chose.";
  }
}
