import { expect, test } from "vitest";

import { above, find, lines, masked, template, type Json } from "./tree";

const root: Json = { Name: "/api", HostConfig: { Memory: 512, Binds: ["a:/b"] }, Labels: { "com.x/y": "<b>" }, Empty: {} };

test("what is folded is one line, what is open has its entries between two", () => {
  const all = lines(root, (path) => path === "$" || path === "$.HostConfig");
  expect(all.map(({ path, kind, depth }) => `${depth} ${kind} ${path}`)).toEqual([
    "0 open $",
    "1 value $.Name",
    "1 open $.HostConfig",
    "2 value $.HostConfig.Memory",
    "2 folded $.HostConfig.Binds",
    "1 close $.HostConfig",
    "1 folded $.Labels",
    "1 value $.Empty",
    "0 close $",
  ]);
});

test("names and values are found, and what is above them", () => {
  expect(find(root, "memory")).toEqual(["$.HostConfig.Memory"]);
  expect(find(root, "<b>")).toEqual(['$.Labels["com.x/y"]']);
  expect(above('$.Labels["com.x/y"]')).toEqual(["$", "$.Labels"]);
  expect(above("$.HostConfig.Binds[0]")).toEqual(["$", "$.HostConfig", "$.HostConfig.Binds"]);
});

test("one value has its command", () => {
  expect(template("$.HostConfig.Memory")).toBe("{{json .HostConfig.Memory}}");
  expect(template('$.Labels["com.x/y"]')).toBe('{{json (index . "Labels" "com.x/y")}}');
  expect(template("$.Mounts[0].Source")).toBe('{{json (index . "Mounts" 0 "Source")}}');
});

test("secrets are dots wherever a variable stands", () => {
  const text = JSON.stringify(masked({ Config: { Env: ["TOKEN=x", "A=b"] } }, (name, value) => (name === "TOKEN" ? "•" : value)));
  expect(text).toBe('{"Config":{"Env":["TOKEN=•","A=b"]}}');
});
