import { expect, test } from "vitest";
import type { EngineCandidate } from "$lib/api";
import { choiceKey, engineOptions } from "./engineOptions";

const SYSTEM: EngineCandidate = {
  origin: { type: "system" },
  address: "unix:///var/run/docker.sock",
  info: null,
  unreachable: "permission denied",
};

test("an engine that does not answer can still be chosen, with the reason beside it", () => {
  const option = engineOptions([SYSTEM], null).at(-1);
  expect(option).toMatchObject({ title: SYSTEM.address, trouble: "Does not answer: permission denied" });
});

test("one address that was found twice is one choice", () => {
  const twice = [SYSTEM, { ...SYSTEM, origin: { type: "context" as const, name: "default" } }];
  expect(engineOptions(twice, null).map((option) => choiceKey(option.choice))).toEqual([
    "auto",
    "machine",
    SYSTEM.address,
  ]);
});

test("the machine is listed once, as Wherry's own", () => {
  const machine: EngineCandidate = { ...SYSTEM, origin: { type: "machine" } };
  expect(engineOptions([machine], null)).toHaveLength(2);
});
