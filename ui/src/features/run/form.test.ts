import { describe, expect, it } from "vitest";
import type { ImageDetail, PortAnswer, PortQuestion, RunSpec } from "$lib/api";
import { mountRow, portRow, variableRow, type Form, type MountRow } from "./form";
import { emptyForm, fromSpec } from "./fromSpec";
import { portsOf, portVerdict, usePort } from "./portRows";
import { toSpec } from "./toSpec";
import { asText } from "./words";
import { commandWrong, mountWrong, nameWrong, toFix, variableWrong } from "./wrong";
import { emptySpec, published } from "./spec";
import { parseSize, parseTime } from "./units";

const detail: ImageDetail = {
  id: "sha256:1",
  references: ["python:3.13-slim"],
  size: 1,
  created: 1,
  architecture: "amd64",
  os: "linux",
  exposedPorts: [],
  environment: [{ name: "PYTHON_VERSION", value: "3.13" }],
  entrypoint: [],
  command: ["python3"],
  volumes: [],
  workingDirectory: "",
  user: "",
  labels: {},
  layers: [],
};

const free = (port: number): PortAnswer => ({ free: true, holder: null, container: null, sentence: `${port} is free`, nextFree: null });
const taken = (port: number): PortAnswer => ({
  free: false,
  holder: { program: "nginx", pid: 4242 },
  container: null,
  sentence: `${port} is used by nginx (pid 4242)`,
  nextFree: port + 1,
});

function form(change: Partial<Form> = {}): Form {
  return { ...emptyForm("python:3.13-slim"), ...change };
}

describe("toSpec", () => {
  it("makes what docker run would be told", () => {
    const filled = form({
      name: " web ",
      ports: [portRow("8000", "8000"), portRow(), portRow("", "9000", "udp")],
      variables: [variableRow("TZ", "Europe/London"), variableRow()],
      command: "python -m http.server 8000",
      removeWhenStopped: true,
    });
    expect(toSpec(filled, null)).toEqual({
      ...emptySpec("python:3.13-slim"),
      name: "web",
      ports: [published(8000, 8000), { ...published(null, 9000), protocol: "udp" }],
      environment: [{ name: "TZ", value: "Europe/London" }],
      command: ["python", "-m", "http.server", "8000"],
      removeWhenStopped: true,
    });
  });

  it("does not repeat what the image sets itself", () => {
    const same = form({ variables: [variableRow("PYTHON_VERSION", "3.13")] });
    expect(toSpec(same, detail).environment).toEqual([]);
    const other = form({ variables: [variableRow("PYTHON_VERSION", "3.14")] });
    expect(toSpec(other, detail).environment).toEqual([{ name: "PYTHON_VERSION", value: "3.14" }]);
  });

  it("splits the command as a shell does, and back", () => {
    const command = `sh -c "echo 'a b' && sleep 1" x\\ y`;
    const words = toSpec(form({ command }), null).command;
    expect(words).toEqual(["sh", "-c", "echo 'a b' && sleep 1", "x y"]);
    expect(toSpec(form({ command: asText(words) }), null).command).toEqual(words);
    expect(commandWrong(`echo "open`)).toBe("A quote is not closed");
  });
});

const everything: RunSpec = {
  ...emptySpec("python:3.13-slim"),
  name: "web",
  platform: "linux/arm64",
  pull: "always",
  entrypoint: "python",
  command: ["-c", "print('a b')"],
  workingDirectory: "/app",
  user: "1000",
  interactive: true,
  terminal: true,
  init: true,
  restart: { type: "onFailure", retries: 3 },
  stopSignal: "SIGINT",
  stopTimeout: -1,
  ports: [
    { hostAddress: "::1", hostPort: 7000, hostLast: 7002, containerPort: 7000, containerLast: 7002, protocol: "udp" },
    published(null, 80),
  ],
  publishAll: true,
  mounts: [
    { source: { type: "folder", path: "/srv/a b", mustExist: true }, target: "/a", readOnly: true, options: ["z"] },
    { source: { type: "volume", name: "data" }, target: "/b", readOnly: false, options: [] },
    { source: { type: "volume", name: null }, target: "/c", readOnly: false, options: [] },
    { source: { type: "memory" }, target: "/d", readOnly: false, options: ["size=64m"] },
  ],
  environment: [{ name: "A", value: " b=c " }],
  envFiles: ["/home/ada/.env"],
  labels: [{ name: "x", value: "" }],
  memory: 512 * 1024 * 1024,
  cpus: 1.5,
  shmSize: 1234,
  gpus: { which: { type: "devices", ids: ["0", "1"] }, driver: "nvidia", capabilities: ["compute"] },
  ulimits: [
    { name: "nofile", soft: 1024, hard: 2048 },
    { name: "core", soft: -1, hard: -1 },
  ],
  health: {
    type: "own",
    check: { command: "true", intervalMillis: 90_500, timeoutMillis: 1000, startPeriodMillis: 0, startIntervalMillis: 2000, retries: 2 },
  },
  logDriver: "json-file",
  logOptions: [{ name: "max-size", value: "1m" }],
  networks: [
    { name: "front", aliases: ["web", "api"], ip: "172.30.0.5", ip6: null },
    { name: "back", aliases: [], ip: null, ip6: "fd00::5" },
  ],
  hostname: "box",
  dns: ["1.1.1.1"],
  extraHosts: ["db:192.168.1.5", "v6:fd00::1"],
  privileged: true,
  readOnly: true,
  capAdd: ["NET_ADMIN"],
  capDrop: ["ALL"],
  securityOptions: ["no-new-privileges"],
  devices: [
    { host: "/dev/fuse", container: null, permissions: null },
    { host: "/dev/a", container: "/dev/b", permissions: "rw" },
    { host: "/dev/c", container: null, permissions: "r" },
    { host: "nvidia.com/gpu=all", container: null, permissions: null },
  ],
  sysctls: [{ name: "net.core.somaxconn", value: "1024" }],
  rare: [{ flag: "pids-limit", value: "50" }],
};

describe("a spec in the form", () => {
  it("comes out as it went in", () => {
    expect(toSpec(fromSpec(everything), null)).toEqual(everything);
    expect(toSpec(fromSpec(emptySpec("nginx")), null)).toEqual(emptySpec("nginx"));
    const off: RunSpec = { ...emptySpec("x"), entrypoint: "", health: { type: "off" }, restart: { type: "always" } };
    expect(toSpec(fromSpec(off), null)).toEqual(off);
    expect(toFix(fromSpec(everything), new Map(), null)).toBeNull();
  });

  it("says what is wrong with a folder or a size", () => {
    const wrong = (row: MountRow) => mountWrong(form({ mounts: [row] }), row);
    expect(wrong(mountRow())).toBeNull();
    expect(wrong(mountRow({ source: "/srv" }))).toBe("Where in the container?");
    expect(wrong(mountRow({ source: "./srv", target: "/app" }))).not.toBeNull();
    expect(wrong(mountRow({ source: "C:\\srv", target: "/app" }))).toBeNull();
    expect(wrong(mountRow({ source: "/srv", target: "app" }))).not.toBeNull();
    expect(wrong(mountRow({ kind: "volume", source: "a/b", target: "/app" }))).not.toBeNull();
    expect(wrong(mountRow({ kind: "memory", target: "/tmp" }))).toBeNull();
    expect(toFix(form({ memory: "lots", removeWhenStopped: true, restart: "always" }), new Map(), null)).toBe(
      "The resources and what happens when it stops to fix",
    );
  });

  it("reads sizes and times as the docker command does", () => {
    expect(["512m", "1.5g", "64 MB", "1GiB", "7", "", "x", "-1m"].map(parseSize)).toEqual([
      536870912, 1610612736, 67108864, 1073741824, 7, null, null, null,
    ]);
    expect(["30s", "1m30s", "500ms", "1.5h", "5", ""].map(parseTime)).toEqual([30000, 90000, 500, 5400000, null, null]);
  });
});

describe("ports", () => {
  const none = new Map<string, PortAnswer>();

  it("are wished for where browsers look, on a free one", async () => {
    const asked: PortQuestion[] = [];
    const check = (question: PortQuestion) => {
      asked.push(question);
      return Promise.resolve(question.port === 8080 ? taken(8080) : free(question.port));
    };
    const rows = await portsOf(
      [
        { port: 80, protocol: "tcp" },
        { port: 5432, protocol: "tcp" },
      ],
      check,
    );
    expect(rows.map(({ host, container }) => [host, container])).toEqual([
      ["8081", "80"],
      ["5432", "5432"],
    ]);
    expect(asked.map((question) => question.port)).toEqual([8080, 5432]);
  });

  it("leave one empty row to fill in when the image exposes none", async () => {
    const rows = await portsOf([], () => Promise.reject(new Error("nothing to ask")));
    expect(rows).toMatchObject([{ host: "", container: "" }]);
  });

  it("are refused with who holds them and what is free instead", () => {
    const row = portRow("8080", "80");
    const filled = form({ ports: [row] });
    const answers = new Map([["8080/tcp", taken(8080)]]);
    expect(portVerdict(filled, row, answers)).toEqual({
      state: "bad",
      say: "8080 is used by nginx (pid 4242)",
      field: "host",
      instead: 8081,
    });
    expect(toFix(filled, answers, null)).toBe("1 port to fix");
    usePort(filled, 8080, 8081);
    expect(row.host).toBe("8081");
    expect(portVerdict(filled, row, answers).state).toBe("checking");
    expect(toFix(filled, answers, null)).toBeNull();
  });

  it("cannot be used twice, nor be other than a number", () => {
    const rows = [portRow("8080", "80"), portRow("8080", "81"), portRow("99999", "80"), portRow("90", "web"), portRow("90", "")];
    const filled = form({ ports: rows });
    const states = rows.map((row) => portVerdict(filled, row, none));
    expect(states.map(({ state }) => state)).toEqual(["checking", "bad", "bad", "bad", "bad"]);
    expect(states[1]).toMatchObject({ say: "8080 is used twice here", instead: 8081 });
    expect(states[3]).toMatchObject({ field: "container" });
    expect(toFix(filled, none, null)).toBe("4 ports to fix");
  });
});

describe("toFix", () => {
  const none = new Map<string, PortAnswer>();

  it("says in a few words what keeps Run off", () => {
    expect(toFix(form({ image: " " }), none, null)).toBe("Choose an image");
    expect(toFix(form(), none, null)).toBeNull();
    expect(toFix(form({ name: "-x" }), none, null)).toBe("The name to fix");
    expect(toFix(form({ name: "web" }), none, "web")).toBe("The name to fix");
    expect(toFix(form({ name: "web2" }), none, "web")).toBeNull();
    expect(toFix(form({ name: "-", command: "'", variables: [variableRow("", "x")] }), none, null)).toBe(
      "The name, 1 variable and the command to fix",
    );
  });

  it("lets nothing that is typed fall away", () => {
    const fix = (values: Partial<Form>) => toFix(form(values), none, null);
    expect(fix({ restart: "onFailure", retries: "often" })).toBe("How it starts and stops to fix");
    expect(fix({ retries: "often" }), "the field is not there").toBeNull();
    expect(fix({ stopTimeout: "soon" })).toBe("How it starts and stops to fix");
    expect(fix({ health: "own", healthRetries: "x" })).toBe("The health check to fix");
    expect(fix({ ulimits: [variableRow("nofile", "many")] })).toBe("The resources to fix");
    expect(fix({ ulimits: [variableRow("nofile", "1024:2048"), variableRow("memlock", "-1")] })).toBeNull();
    expect(fix({ gpu: "count", gpuWhich: "x" })).toBe("The GPUs to fix");
    expect(fix({ gpu: "devices", gpuWhich: "0,1" })).toBeNull();
    expect(fix({ hostname: "my box" })).toBe("The host name to fix");
  });

  it("knows which names the engine takes", () => {
    expect(nameWrong("my-site_2.0")).toBeNull();
    expect(nameWrong("")).toBeNull();
    expect(nameWrong("a b")).not.toBeNull();
    expect(variableWrong(variableRow("A B", "x"))).not.toBeNull();
    expect(variableWrong(variableRow("A", ""))).toBeNull();
  });
});
