import { expect, test } from "vitest";
import type { Port } from "$lib/api";
import { age, bytes, capacity, counted, portText, portUrl, span, took, usedOf } from "./format";

test("sizes of images are decimal, as the docker command writes them", () => {
  expect(bytes(0)).toBe("0 B");
  expect(bytes(999)).toBe("999 B");
  expect(bytes(13_256)).toBe("13.3 kB");
  expect(bytes(187_200_000)).toBe("187 MB");
  expect(bytes(999_999_999)).toBe("1 GB");
  expect(bytes(1_240_000_000)).toBe("1.2 GB");
  expect(bytes(-1)).toBe("0 B");
});

test("memory and disks are in powers of 1024", () => {
  expect(capacity(6 * 1024 ** 3)).toBe("6 GB");
  expect(capacity(18.6 * 1024 ** 3)).toBe("18.6 GB");
});

test("the unit stands once where both numbers have it", () => {
  expect(usedOf(2.8 * 1024 ** 3, 6 * 1024 ** 3)).toBe("2.8 of 6 GB");
  expect(usedOf(212 * 1024 ** 2, 60 * 1024 ** 3)).toBe("212 MB of 60 GB");
});

test("durations", () => {
  expect(took(2_100)).toBe("2.1 s");
  expect(took(72_000)).toBe("1 min 12 s");
  expect(span(40_000)).toBe("40 s");
  expect(span(11_520_000)).toBe("3 h 12 min");
  expect(span(2 * 86_400_000)).toBe("2 d");
  expect(span(-5)).toBe("0 s");
});

test("ages use the docker command's words and limits", () => {
  const now = 10_000_000;
  const words = (seconds: number) => age(now - seconds, now);
  expect(words(0)).toBe("1 second");
  expect(words(-60)).toBe("1 second");
  expect(words(1)).toBe("1 second");
  expect(words(59)).toBe("59 seconds");
  expect(words(90)).toBe("About a minute");
  expect(words(59 * 60)).toBe("59 minutes");
  expect(words(80 * 60)).toBe("About an hour");
  expect(words(3 * 3600)).toBe("3 hours");
  expect(words(47 * 3600)).toBe("47 hours");
  expect(words(13 * 86_400)).toBe("13 days");
  expect(words(14 * 86_400)).toBe("2 weeks");
  expect(words(60 * 86_400)).toBe("2 months");
});

const port = (host: Port["host"], protocol: Port["protocol"] = "tcp"): Port => ({ container: 80, protocol, host });

test("a port names its address only when it is not every address", () => {
  expect(portText(port(null))).toBe("80");
  expect(portText(port({ address: "0.0.0.0", port: 8080 }))).toBe("8080:80");
  expect(portText(port({ address: "::", port: 8080 }))).toBe("8080:80");
  expect(portText(port({ address: "127.0.0.1", port: 8080 }))).toBe("127.0.0.1:8080:80");
  expect(portText(port({ address: "::1", port: 8080 }))).toBe("[::1]:8080:80");
  expect(portText(port({ address: "", port: 53 }, "udp"))).toBe("53:80/udp");
});

test("only a published TCP port can be opened", () => {
  expect(portUrl(port(null))).toBeNull();
  expect(portUrl(port({ address: "0.0.0.0", port: 53 }, "udp"))).toBeNull();
  expect(portUrl(port({ address: "0.0.0.0", port: 8080 }))).toBe("http://localhost:8080");
  expect(portUrl(port({ address: "192.168.1.4", port: 8080 }))).toBe("http://192.168.1.4:8080");
});

test("counts", () => {
  expect(counted(1, "container")).toBe("1 container");
  expect(counted(0, "container")).toBe("0 containers");
});
