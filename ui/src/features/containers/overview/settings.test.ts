import { expect, test } from "vitest";

import { settings } from "./settings";

test("what is as usual is not told", () => {
  const usual = {
    Config: { Hostname: "e7e30781b9f4", StopSignal: "SIGTERM" },
    HostConfig: { Memory: 64 << 20, MemorySwap: 128 << 20, CpuShares: 0, IpcMode: "private", ShmSize: 67108864, Runtime: "runc", PidMode: "", CapAdd: null, LogConfig: { Type: "json-file", Config: {} } },
  };
  expect(settings(usual, "e7e30781b9f4c6f922f5")).toEqual([]);
  expect(settings({}, "e7e3")).toEqual([]);
});

test("everything that was set is told", () => {
  const inspect = {
    Config: { Hostname: "box", Domainname: "example.edu", Tty: true, OpenStdin: true, StopSignal: "SIGINT", StopTimeout: 0 },
    HostConfig: {
      Dns: ["9.9.9.9"],
      DnsSearch: ["example.edu"],
      DnsOptions: ["ndots:2"],
      Links: ["/db:/web/db"],
      GroupAdd: ["7"],
      DeviceCgroupRules: ["c 13:* rmw"],
      VolumesFrom: ["data:ro"],
      StorageOpt: { size: "10G" },
      Memory: 64 << 20,
      MemorySwap: 96 << 20,
      MemoryReservation: 32 << 20,
      OomKillDisable: true,
      OomScoreAdj: 100,
      CpuShares: 512,
      CpusetCpus: "0-1",
      CgroupParent: "/lab",
      IpcMode: "host",
      PidMode: "host",
      UTSMode: "host",
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
    "Domain: example.edu",
    "Name servers: 9.9.9.9",
    "Short names end in: example.edu",
    "Name options: ndots:2",
    "Names it knows: db:10.0.0.9",
    "Linked to: /db:/web/db",
    "Terminal: It has one",
    "Input: Stays open",
    "First program: A small init",
    "Asked to end by: SIGINT",
    "Ended by force: after 0 s",
    "Its own files: Read only",
    "More groups: 7",
    "Rights it gets: NET_ADMIN",
    "Rights it loses: CHOWN",
    "Security: no-new-privileges",
    "Devices: /dev/null → /dev/x",
    "Rules for devices: c 13:* rmw",
    "GPUs: All",
    "Volumes of: data:ro",
    "Storage: size=10G",
    "Swap: 32 MB",
    "Memory kept for it: 32 MB",
    "When memory is short: It is not ended, Ended before others, score 100",
    "Share of the processor: 512, where 1024 is usual",
    "Processor cores: 0-1",
    "Shared memory: 128 MB",
    "Its programs' limits: nofile 1024:2048",
    "Kernel settings: net.core.somaxconn=512",
    "Log: json-file, max-size=10m",
    "Control group: /lab",
    "Sees processes of: host",
    "Shares memory with: host",
    "Host name of: host",
  ]);
});
