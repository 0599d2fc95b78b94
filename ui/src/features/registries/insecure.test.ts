import { expect, test } from "vitest";
import { insecureCommand, insecureJson } from "./insecure";

test("one more registry is added to those that are allowed", () => {
  expect(insecureCommand([], "10.0.0.7:5000")).toBe("wherry set insecure-registries 10.0.0.7:5000");
  expect(insecureCommand(["box"], "10.0.0.7:5000")).toBe("wherry set insecure-registries box,10.0.0.7:5000");
  expect(insecureCommand(["box"], "box")).toBe("wherry set insecure-registries box");
});

test("an engine's settings are JSON", () => {
  const text = insecureJson(["10.0.0.0/8"], 'odd"one');
  expect(JSON.parse(`{${text}}`)).toEqual({ "insecure-registries": ["10.0.0.0/8", 'odd"one'] });
});
