import { describe, expect, it } from "vitest";
import type { ContainerSummary } from "$lib/api";
import { deadPorts, exitWords, firstUrl, healthWord, inRow, portLinks, reason, removal, shortId, stateOf, upFor } from "./rows";

function container(name: string, change: Partial<ContainerSummary> = {}): ContainerSummary {
  return {
    id: `id-${name}`,
    name,
    image: "nginx:1.27",
    imageId: "sha256:1",
    command: "nginx",
    state: "running",
    status: "Up 3 hours",
    exitCode: null,
    outOfMemory: false,
    health: null,
    ports: [],
    created: 0,
    labels: {},
    project: null,
    networks: [],
    ...change,
  };
}

describe("portLinks", () => {
  it("names a port once although the engine lists it for both families", () => {
    const ports = [
      { container: 80, protocol: "tcp", host: { address: "0.0.0.0", port: 8080 } },
      { container: 80, protocol: "tcp", host: { address: "::", port: 8080 } },
      { container: 9000, protocol: "tcp", host: null },
    ] as const;
    expect(portLinks(container("a", { ports: [...ports] }))).toEqual([
      { label: "8080:80", href: "http://localhost:8080", dead: null },
    ]);
  });

  it("links only what a browser can open", () => {
    const udp = [{ container: 53, protocol: "udp", host: { address: "0.0.0.0", port: 53 } }] as const;
    expect(portLinks(container("a", { ports: [...udp] }))).toEqual([{ label: "53:53/udp", href: null, dead: null }]);
    const lan = [{ container: 80, protocol: "tcp", host: { address: "192.168.1.5", port: 80 } }] as const;
    expect(portLinks(container("a", { ports: [...lan] }))[0]).toMatchObject({
      label: "192.168.1.5:80:80",
      href: "http://192.168.1.5:80",
    });
    expect(firstUrl(container("a", { state: "exited", ports: [...lan] }))).toBeNull();
  });
});

describe("ports that the machine forwards", () => {
  const web = container("web", { ports: [{ container: 80, protocol: "tcp", host: { address: "0.0.0.0", port: 8080 } }] });
  const why = "8080 is used by nginx (pid 42)";
  const forward = { host: "[::]:8080", container: "172.17.0.2:80", protocol: "tcp", owner: null, dead: why };

  it("shows a dead one with why, and does not open it", () => {
    expect(portLinks(web, [forward])).toEqual([{ label: "8080:80", href: null, dead: why }]);
    expect(firstUrl(web, [forward])).toBeNull();
    expect(firstUrl(web, [{ ...forward, protocol: "udp" }])).toBe("http://localhost:8080");
    expect(deadPorts([container("a"), web], [forward, { ...forward, host: "0.0.0.0:8080" }])).toEqual([
      { label: "8080", name: "web", why },
    ]);
    expect(deadPorts([web], [{ ...forward, dead: null }])).toEqual([]);
  });

  it("knows those of a container on the machine's own network", () => {
    const own = { host: "0.0.0.0:9000", container: "127.0.0.1:9000", protocol: "tcp", owner: "id-api", dead: null };
    const both = [own, { ...own, host: "[::]:9000" }, { ...own, host: "0.0.0.0:53", protocol: "udp" }];
    expect(portLinks(container("api"), both)).toEqual([
      { label: "9000", href: "http://localhost:9000", dead: null },
      { label: "53/udp", href: null, dead: null },
    ]);
    expect(portLinks(web, both)).toHaveLength(1);
    expect(deadPorts([container("api")], [{ ...own, dead: "x" }])).toEqual([{ label: "9000", name: "api", why: "x" }]);
  });
});

describe("what it says of a container", () => {
  it("speaks of the exit code in plain words and claims nothing more", () => {
    expect(exitWords(0)).toBe("Finished normally");
    expect(exitWords(137)).toBe("Killed");
    expect(exitWords(2)).toBe("Ended with an error");
    expect(exitWords(138)).toBe("Ended by signal 10");
    expect(reason(container("a", { state: "created" }))).toBe("Never started");
    expect(reason(container("a"))).toBe("");
  });

  it("shows red only where something failed", () => {
    const exited = (exitCode: number) => stateOf(container("a", { state: "exited", exitCode })).look;
    expect([0, 1, 127, 137, 143].map(exited)).toEqual(["exited", "error", "error", "exited", "exited"]);
    expect(stateOf(container("a"), "stop")).toEqual({ look: "starting", word: "Stopping" });
    const starved = container("a", { state: "exited", exitCode: 137, outOfMemory: true });
    expect([stateOf(starved).look, reason(starved)]).toEqual(["error", "Out of memory"]);
  });

  it("tells a health check only where the state does not", () => {
    expect(healthWord(container("a", { health: "healthy" }))).toBe("Healthy");
    expect(healthWord(container("a", { health: "starting" }))).toBe("First checks");
    expect(healthWord(container("a", { health: "unhealthy" }))).toBeNull();
    expect(stateOf(container("a", { health: "unhealthy" })).word).toBe("Unhealthy");
    expect(healthWord(container("a", { health: "healthy", state: "exited" }))).toBeNull();
  });

  it("shortens how long it has been up", () => {
    const up = (status: string) => upFor(container("a", { status }));
    expect(up("Up 3 hours (healthy)")).toBe("3 h");
    expect(up("Up About a minute")).toBe("1 min");
    expect(up("Up Less than a second")).toBe("1 s");
    expect(up("Up 41 minutes")).toBe("41 min");
    expect(up("Up 2 weeks")).toBe("2 weeks");
    expect(upFor(container("a", { state: "exited", status: "Exited (0) 2 hours ago" }))).toBe("");
  });
});

describe("removal", () => {
  it("names the thing and forces only what runs", () => {
    expect(removal([container("web")])).toMatchObject({ title: "Delete web?", button: "Delete web", force: true });
    expect(removal([container("web")]).text).toMatch(/^It is running and will be stopped\./);
    const two = [container("a", { state: "exited" }), container("b", { state: "exited" })];
    expect(removal(two)).toMatchObject({ title: "Delete 2 containers?", force: false });
    expect(removal([container("c"), ...two]).text).toMatch(/^1 of them is running/);
  });
});

describe("a state with its story", () => {
  it("is an error when nobody wanted its end, whatever the number", () => {
    const killed = container("a", { state: "exited", exitCode: 137 });
    expect(stateOf(killed).look).toBe("exited");
    const line = { id: "id-a", cause: "memoryLimit", short: "Out of memory", tone: "bad" } as const;
    expect(stateOf(killed, undefined, line)).toEqual({ look: "error", word: "Exited 137" });
  });
});

it("shows as many ports as a row holds, and never hides one that does not work", () => {
  const link = (label: string, dead: string | null = null) => ({ label, href: null, dead });
  const labels = (...links: ReturnType<typeof link>[]) => {
    const { shown, others } = inRow(links);
    return [shown.map(({ label }) => label), others.length];
  };
  expect(labels(link("127.0.0.1:8080:80"), link("8443:443"))).toEqual([["127.0.0.1:8080:80", "8443:443"], 0]);
  expect(labels(link("8080:80"), link("8443:443"), link("9000:9000"))).toEqual([["8080:80", "8443:443"], 1]);
  expect(labels(link("127.0.0.1:8080:80"), link("8443:443"), link("9000:9000"))).toEqual([["127.0.0.1:8080:80"], 2]);
  expect(labels(link("8080:80"), link("8443:443"), link("22:22", "taken"))).toEqual([["22:22"], 2]);
  const opens = (label: string) => ({ ...link(label), href: "http://localhost" });
  const mixed = inRow([link("5353:53/udp"), opens("8080:80"), opens("8443:443")]);
  expect(mixed.shown.map(({ label }) => label), "what a browser opens").toEqual(["8080:80", "8443:443"]);
});

it("cuts an id and no name", () => {
  expect(shortId("4c7271498b18".padEnd(64, "0"))).toBe("4c7271498b18");
  expect(shortId("a-name-of-twenty-one")).toBe("a-name-of-twenty-one");
});
