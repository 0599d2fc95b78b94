import { expect, test } from "vitest";

import { environment, health, limits, mounts, networks, restartWords, secondsOf, withoutPorts } from "./overview";

test("secrets are dots, and what the person set comes first", () => {
  const inspect = {
    Config: { Env: ["PATH=/bin", "STRIPE_SECRET_KEY=sk_live_1", "DATABASE_URL=postgresql://shop:hunter2@db/shop", "LOG=a=b", "EMPTY_TOKEN="] },
  };
  const rows = environment(inspect, [{ name: "PATH", value: "/bin" }]);
  expect(rows.map(({ name, shown, secret, image }) => [name, shown, secret, image])).toEqual([
    ["STRIPE_SECRET_KEY", "••••••••", true, false],
    ["DATABASE_URL", "postgresql://shop:••••••••@db/shop", true, false],
    ["LOG", "a=b", false, false],
    ["EMPTY_TOKEN", "", false, false],
    ["PATH", "/bin", false, true],
  ]);
  expect(JSON.stringify(rows.map(({ shown }) => shown))).not.toContain("hunter2");
});

test("an engine that says nothing is read as nothing", () => {
  expect(environment({}, [])).toEqual([]);
  expect(mounts({ Mounts: null })).toEqual([]);
  expect(networks({ NetworkSettings: {} })).toEqual([]);
  expect(health({ State: { Health: { Status: "none" } } })).toBeNull();
  expect(limits({})).toEqual({ memory: 0, cpus: 0, processes: 0, restart: { type: "no" } });
  expect(secondsOf("0001-01-01T00:00:00Z")).toBeNull();
});

test("limits in both of the engine's forms", () => {
  expect(limits({ HostConfig: { NanoCpus: 1.5e9, Memory: 1, PidsLimit: -1 } })).toMatchObject({ cpus: 1.5, memory: 1, processes: 0 });
  expect(limits({ HostConfig: { CpuQuota: 50_000, CpuPeriod: 100_000 } }).cpus).toBe(0.5);
  const restart = limits({ HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } } }).restart;
  expect(restartWords(restart)).toBe("When it fails, at most 3 times");
});

test("health, mounts and networks are told in words", () => {
  const view = health({ State: { Health: { Status: "unhealthy", FailingStreak: 2, Log: [{ ExitCode: 0 }, { ExitCode: 1, Output: "no\n" }] } } });
  expect(view).toMatchObject({ word: "Unhealthy", failing: 2, checks: [{ ok: true }, { ok: false, output: "no" }] });
  expect(mounts({ Mounts: [{ Type: "volume", Name: "data", Destination: "/data", RW: false }] })).toEqual([
    { kind: "volume", from: "data", to: "/data", writable: false },
  ]);
  expect(mounts({ HostConfig: { Tmpfs: { "/t": "size=1m,ro" } } })).toEqual([
    { kind: "memory", from: "memory", to: "/t", writable: false },
  ]);
  expect(networks({ NetworkSettings: { Networks: { shop: { IPAddress: "172.20.0.4", Aliases: ["api", "4f1c09ab77d2"] } } } })).toEqual([
    { name: "shop", address: "172.20.0.4", names: ["api"] },
  ]);
});

test("who reaches a container without published ports depends on its network", () => {
  const on = (name: string) => withoutPorts(networks({ NetworkSettings: { Networks: { [name]: {} } } }));
  expect(on("host")).toContain("needs no publishing");
  expect(on("none")).toContain("Nobody reaches it");
  expect(on("bridge")).toContain("Only other containers");
});
