import type { MachineSpec, MachineState, SpecChange } from "$lib/api";

export type Size = { cpus: string; memoryGb: string; diskGb: string };
export type SizeErrors = Partial<Record<keyof Size, string>>;

const MIB_PER_GB = 1024;
const LEAST_MEMORY_GB = 0.5;

export function sizeOf(spec: MachineSpec): Size {
  return {
    cpus: String(spec.cpus),
    memoryGb: String(Number((spec.memoryMib / MIB_PER_GB).toFixed(2))),
    diskGb: String(spec.diskGib),
  };
}

/** What the fields say against what the machine has: the change to ask for, and what is wrong with each field. */
export function sizeChange(size: Size, spec: MachineSpec): { change: Partial<SpecChange> | null; errors: SizeErrors } {
  const errors: SizeErrors = {};
  const cpus = Number(size.cpus);
  const memory = Number(size.memoryGb);
  const disk = Number(size.diskGb);
  if (!Number.isInteger(cpus) || cpus < 1) errors.cpus = "A whole number, 1 or more.";
  if (!(memory >= LEAST_MEMORY_GB)) errors.memoryGb = `${LEAST_MEMORY_GB} GB or more.`;
  if (!Number.isInteger(disk) || disk < 1) errors.diskGb = "A whole number of GB.";
  else if (disk < spec.diskGib) errors.diskGb = `The disk cannot shrink below ${spec.diskGib} GB.`;
  if (Object.keys(errors).length > 0) return { change: null, errors };

  const memoryMib = Math.round(memory * MIB_PER_GB);
  const change: Partial<SpecChange> = {};
  if (cpus !== spec.cpus) change.cpus = cpus;
  if (memoryMib !== spec.memoryMib) change.memoryMib = memoryMib;
  if (disk !== spec.diskGib) change.diskGib = disk;
  return { change: Object.keys(change).length > 0 ? change : null, errors };
}

/** Whether it takes effect while the engine runs or sleeps. Everything else waits for a start from nothing. */
export function inEffectAtOnce(change: Partial<SpecChange>): boolean {
  const keys = Object.keys(change);
  return keys.length > 0 && keys.every((key) => key === "diskGib");
}

/** What the button does, and what becomes of what runs. */
export function savingWords(state: MachineState["type"], atOnce: boolean): { button: string; effect: string } {
  if (atOnce && state === "running") {
    return { button: "Make the disk larger", effect: "Running containers go on meanwhile." };
  }
  if (atOnce && state === "suspended") {
    return { button: "Wake it with a larger disk", effect: "Containers go on where they were." };
  }
  if (state === "running") {
    return {
      button: "Save and restart the engine",
      effect: "Running containers are stopped first; nothing on the disk is lost.",
    };
  }
  return { button: "Save and start the engine", effect: "It takes effect at the start." };
}
