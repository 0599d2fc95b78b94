import { expect, test } from "vitest";
import type { MachineNetwork, ProxyInUse } from "$lib/api";
import { fieldsOf, manualChoice, proxyNow, trustNow } from "./proxyForm";

const network = (proxy: Partial<ProxyInUse>, authorities = 144): MachineNetwork => ({
  proxy: { source: "nobody", http: null, https: null, except: "", trouble: null, ...proxy },
  authorities,
  engineOutdated: false,
});

test("a proxy set by hand goes through the fields and back", () => {
  const choice = { type: "manual" as const, http: "http://mira:***@proxy:3128", https: null, except: "a,b" };
  expect(manualChoice(fieldsOf(choice))).toEqual({ choice, errors: {} });
  expect(fieldsOf({ type: "system" })).toEqual({ http: "", https: "", except: "" });
});

test("addresses are a name and a port", () => {
  for (const http of ["proxy:3128", "http://proxy.example", "socks5://10.0.0.1:1080", " https://u:p@[::1]:1 "]) {
    expect(manualChoice({ http, https: "", except: "" }).errors, http).toEqual({});
  }
  for (const http of ["ftp://proxy", "http://proxy/path", "http://", "a b:1", "proxy:port"]) {
    expect(manualChoice({ http, https: "", except: "" }).errors.http, http).toBeDefined();
  }
  expect(manualChoice({ http: "", https: "", except: "" }).choice).toBeNull();
});

test("what is in use is said with where it comes from", () => {
  expect(proxyNow(network({}))).toBe("Now: no proxy.");
  expect(proxyNow(network({ source: "environment", http: "http://a:1", https: "http://a:1" }))).toBe(
    "Now: http://a:1, as HTTP_PROXY says.",
  );
  expect(proxyNow(network({ source: "manual", http: "http://a:1", https: "http://b:2" }))).toBe(
    "Now: http://a:1 for http, http://b:2 for https.",
  );
  expect(proxyNow(network({ source: "desktop", http: "http://a:1" }))).toBe(
    "Now: http://a:1 for http, as this computer's settings say.",
  );
  expect(proxyNow({ ...network({}), engineOutdated: true })).toBe("From its next start: no proxy.");
  expect(trustNow(network({}, 0))).toContain("came with it");
});
