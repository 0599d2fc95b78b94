import { expect, test } from "vitest";
import type { MachineSpec } from "$lib/api";
import { inEffectAtOnce, savingWords, sizeChange, sizeOf } from "./machineSize";

const SPEC: MachineSpec = { cpus: 4, memoryMib: 6144, diskGib: 60, accelerator: "auto" };

test("untouched fields ask for nothing", () => {
  expect(sizeOf(SPEC)).toEqual({ cpus: "4", memoryGb: "6", diskGb: "60" });
  expect(sizeChange(sizeOf(SPEC), SPEC)).toEqual({ change: null, errors: {} });
});

test("only what differs is changed", () => {
  expect(sizeChange({ cpus: "2", memoryGb: "1.5", diskGb: "60" }, SPEC).change).toEqual({ cpus: 2, memoryMib: 1536 });
});

test("the disk never shrinks", () => {
  const { change, errors } = sizeChange({ ...sizeOf(SPEC), diskGb: "20" }, SPEC);
  expect(change).toBeNull();
  expect(errors.diskGb).toContain("60 GB");
});

test("what is no size is said at its field", () => {
  const { errors } = sizeChange({ cpus: "1.5", memoryGb: "lots", diskGb: "" }, SPEC);
  expect(Object.keys(errors)).toEqual(["cpus", "memoryGb", "diskGb"]);
});

test("only a larger disk alone needs no restart", () => {
  expect(inEffectAtOnce({ diskGib: 80 })).toBe(true);
  expect(inEffectAtOnce({ diskGib: 80, cpus: 2 })).toBe(false);
  expect(inEffectAtOnce({})).toBe(false);
  expect(savingWords("running", true).button).toBe("Make the disk larger");
  expect(savingWords("running", false).button).toContain("restart");
  expect(savingWords("suspended", true).button).toContain("Wake");
  expect(savingWords("stopped", true).button).toContain("start");
});
