import { expect, test } from "vitest";

import { settings } from "./settings";

test("what is as usual is not told", () => {
  const usual = {
    Config: { Hostname: "e7e30781b9f4", StopSignal: "SIGTERM" },
    HostConfig: { ShmSize: 67108864, Runtime: "runc", PidMode: "", CapAdd: null, LogConfig: { Type: "json-file", Config: {} } },
  };
  expect(settings(usual, "e7e30781b9f4c6f922f5")).toEqual([]);
  expect(settings({}, "e7e3")).toEqual([]);
});

test("everything that was set is told", () => {
  const inspect = {
    Config: { Hostname: "box", StopSignal: "SIGINT", StopTimeout: 0 },
    HostConfig: {
      Dns: ["9.9.9.9"],
      ExtraHosts: ["db:10.0.0.9"],
      Init: true,
      ReadonlyRootfs: true,
      CapAdd: ["NET_ADMIN"],
      CapDrop: ["CHOWN"],
      SecurityOpt: ["no-new-privileges"],
      Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/x" }],
      DeviceRequests: [{ Count: -1 }],
      ShmSize: 128 << 20,
      Ulimits: [{ Name: "nofile", Soft: 1024, Hard: 2048 }],
      Sysctls: { "net.core.somaxconn": "512" },
      LogConfig: { Type: "json-file", Config: { "max-size": "10m" } },
    },
  };
  expect(settings(inspect, "e7e3").map(({ name, values }) => `${name}: ${values.join(", ")}`)).toEqual([
    "Host name: box",
    "Name servers: 9.9.9.9",
    "Names it knows: db:10.0.0.9",
    "First program: A small init",
    "Asked to end by: SIGINT",
    "Ended by force: after 0 s",
    "Its own files: Read only",
    "Rights it gets: NET_ADMIN",
    "Rights it loses: CHOWN",
    "Security: no-new-privileges",
    "Devices: /dev/null → /dev/x",
    "GPUs: All",
    "Shared memory: 128 MB",
    "Its programs' limits: nofile 1024:2048",
    "Kernel settings: net.core.somaxconn=512",
    "Log: json-file, max-size=10m",
  ]);
});
