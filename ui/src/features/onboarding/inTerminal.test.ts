import { expect, test } from "vitest";
import type { DockerSetup } from "$lib/api";
import { inTerminal } from "./inTerminal";

const setup: DockerSetup = {
  program: "/usr/bin/docker",
  config: "/home/ada/.docker/config.json",
  context: "default",
  address: "unix:///var/run/docker.sock",
  ours: false,
  overridden: null,
  missingHelpers: [],
  systemSocket: { type: "free" },
  changed: false,
};

test("what is offered fits where the command points", () => {
  expect(inTerminal(setup)).toBe("elsewhere");
  expect(inTerminal({ ...setup, context: "wherry", ours: true })).toBe("same");
  expect(inTerminal({ ...setup, program: null })).toBe("missing");
});

test("a variable wins over a context, so no context is offered", () => {
  const overridden = { variable: "DOCKER_HOST", value: "tcp://192.0.2.7:2376" };
  expect(inTerminal({ ...setup, overridden })).toBe("overridden");
  expect(inTerminal({ ...setup, overridden, ours: true })).toBe("same");
});
