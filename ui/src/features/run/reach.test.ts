import { expect, test } from "vitest";
import { reaches, reachOf, withReach } from "./reach";

test("what is chosen is read back, and an address of its own stays a choice", () => {
  const own = { protocol: "tcp", address: "[fe80::1]" } as const;
  expect(withReach(reachOf(own))).toEqual(own);
  expect(reaches(own).map(({ label }) => label)).toEqual([
    "TCP, everybody",
    "UDP, everybody",
    "TCP, only here",
    "UDP, only here",
    "TCP at [fe80::1]",
    "UDP at [fe80::1]",
  ]);
  expect(reaches({ protocol: "sctp", address: "" })).toHaveLength(6);
  expect(reaches({ protocol: "tcp", address: "" }).map(({ value }) => withReach(value))).toContainEqual({ protocol: "udp", address: "127.0.0.1" });
});
