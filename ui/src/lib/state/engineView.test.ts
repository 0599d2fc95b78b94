import { describe, expect, test } from "vitest";
import type { EngineStatus, Failure, MachineState } from "$lib/api";
import { engineView, engineWords, sailOf, STEPS, timeline, usesMachine } from "./engineView";

const INFO = {
  product: "Docker",
  version: "28.3.1",
  apiVersion: "1.51",
  operatingSystem: "Debian 13",
  kernel: "6.12.48",
  architecture: "x86_64",
  cpus: 4,
  memory: 6,
};

const FAILURE: Failure = { code: "died", step: "linux", message: "", causes: [], hint: "", console: [] };

function status(state: MachineState, change: Partial<EngineStatus> = {}): EngineStatus {
  return {
    choice: { type: "auto" },
    origin: null,
    address: null,
    connection: { type: "away", reason: "no such file" },
    machine: {
      state,
      spec: { cpus: 4, memoryMib: 4096, diskGib: 60, accelerator: "auto" },
      socket: "",
      steps: [],
      forwards: [],
      network: null,
      notes: [],
    },
    machineUnavailable: null,
    ...change,
  };
}

describe("what the engine is to the person", () => {
  test("nothing is claimed before the first answer", () => {
    expect(engineView(null)).toEqual({ type: "loading" });
  });

  test("a connected engine runs, whosever it is", () => {
    const view = engineView(
      status({ type: "stopped" }, { origin: { type: "system" }, connection: { type: "connected", info: INFO } }),
    );
    expect(view).toEqual({ type: "running", info: INFO, machine: null });
  });

  test("with no engine at all, it is Wherry's own that is stopped and can be started", () => {
    expect(engineView(status({ type: "stopped" })).type).toBe("stopped");
  });

  test("an engine that is not Wherry's cannot be started: it is away, with the reason", () => {
    const view = engineView(status({ type: "stopped" }, { origin: { type: "chosen" } }));
    expect(view).toEqual({ type: "away", reason: "no such file" });
  });

  test("a machine that cannot start here says so before anybody tries", () => {
    const view = engineView(status({ type: "stopped" }, { machineUnavailable: FAILURE }));
    expect(view).toEqual({ type: "failed", failure: FAILURE });
  });

  test("a machine that runs while its engine does not answer yet is still starting", () => {
    const running = { type: "running", running: { hostRoom: "roomy" } } as MachineState;
    expect(engineView(status(running))).toEqual({ type: "starting", step: "connect" });
  });

  test("a machine that stops is not offered as running although it still answers", () => {
    const view = engineView(
      status({ type: "stopping" }, { origin: { type: "machine" }, connection: { type: "connected", info: INFO } }),
    );
    expect(view.type).toBe("stopping");
  });

  test("a machine that waits for room on this computer's disk answers nothing, connected or not", () => {
    const running = { type: "running", running: { hostRoom: "standsStill" } } as MachineState;
    for (const connection of [
      { type: "connected", info: INFO },
      { type: "away", reason: "it does not answer" },
    ] as EngineStatus["connection"][]) {
      const view = engineView(status(running, { origin: { type: "machine" }, connection }));
      expect([view.type, sailOf(view), engineWords(view)]).toEqual(["standsStill", "error", "Engine stands still"]);
    }
  });

  test("a machine that sleeps is calm, and not away, whatever its connection was", () => {
    for (const connection of [
      { type: "connected", info: INFO },
      { type: "away", reason: "The engine is asleep" },
    ] as EngineStatus["connection"][]) {
      const asleep: MachineState = { type: "suspended", sinceMillis: 1, wakes: true };
      const view = engineView(status(asleep, { origin: { type: "machine" }, connection }));
      expect(view).toEqual({ type: "asleep", sinceMillis: 1, wakes: true });
      expect([sailOf(view), engineWords(view)]).toEqual(["stopped", "Engine asleep"]);
    }
  });

  test("an address that was chosen is not the machine", () => {
    expect(usesMachine(status({ type: "stopped" }, { choice: { type: "address", address: "unix:///x" } }))).toBe(false);
  });
});

describe("the steps of a start", () => {
  const reports = [
    { step: "check" as const, millis: 100, detail: "KVM works." },
    { step: "disk" as const, millis: 200, detail: null },
    { step: "linux" as const, millis: null, detail: null },
  ];

  test("those to come are listed too", () => {
    const steps = timeline(reports, { type: "starting", step: "linux" });
    expect(steps.map((step) => step.step)).toEqual(STEPS);
    expect(steps.map((step) => step.state)).toEqual(["done", "done", "now", "wait", "wait", "wait"]);
    expect(steps[0]).toMatchObject({ millis: 100, detail: "KVM works." });
  });

  test("the one that failed is marked, those after it never began", () => {
    const steps = timeline(reports, { type: "failed", failure: FAILURE });
    expect(steps.map((step) => step.state)).toEqual(["done", "done", "failed", "wait", "wait", "wait"]);
  });
});
