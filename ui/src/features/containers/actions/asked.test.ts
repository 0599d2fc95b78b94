import { expect, test } from "vitest";

import { actionOf, buttonOf, doneOf, fieldsOf } from "./asked";

const limits = { memory: 512 << 20, cpus: 1.5, processes: 0, restart: { type: "onFailure" as const, retries: 3 } };
const fields = fieldsOf({ name: "api" }, limits);

test("only what was changed is changed", () => {
  expect(actionOf("limits", fields, "api", limits)).toBe("");
  expect(actionOf("limits", { ...fields, memory: "1g" }, "api", limits)).toEqual({
    type: "update",
    memory: 1 << 30,
    cpus: null,
    restart: null,
  });
  expect(actionOf("limits", { ...fields, memory: "", restart: "no" }, "api", limits)).toEqual({
    type: "update",
    memory: 0,
    cpus: null,
    restart: { type: "no" },
  });
});

test("what cannot be is said", () => {
  expect(actionOf("limits", { ...fields, memory: "5m" }, "api", limits)).toContain("at least 6 MB");
  expect(actionOf("limits", { ...fields, cpus: "many" }, "api", limits)).toContain("1.5");
  expect(actionOf("stop", { ...fields, seconds: "soon" }, "api", limits)).toContain("whole number");
  expect(actionOf("rename", { ...fields, name: "a b" }, "api", limits)).toContain("letters");
  expect(actionOf("rename", fields, "api", limits)).toBe("");
  expect(actionOf("commit", { ...fields, reference: "Shop" }, "api", limits)).toContain("small letters");
});

test("words say what happens", () => {
  expect(buttonOf("kill", { ...fields, signal: "HUP" })).toBe("Send HUP");
  expect(doneOf("api", { type: "rename", name: "web" })).toBe("api is called web now");
});
