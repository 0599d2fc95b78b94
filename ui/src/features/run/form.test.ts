import { describe, expect, it } from "vitest";
import type { ImageDetail, PortAnswer, PortQuestion } from "$lib/api";
import {
  asText,
  commandWrong,
  emptyForm,
  type Form,
  nameWrong,
  portRow,
  portsOf,
  portVerdict,
  toFix,
  toSpec,
  usePort,
  variableRow,
  variableWrong,
} from "./form";

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
      image: "python:3.13-slim",
      name: "web",
      ports: [
        { hostAddress: null, hostPort: 8000, containerPort: 8000, protocol: "tcp" },
        { hostAddress: null, hostPort: null, containerPort: 9000, protocol: "udp" },
      ],
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

  it("knows which names the engine takes", () => {
    expect(nameWrong("my-site_2.0")).toBeNull();
    expect(nameWrong("")).toBeNull();
    expect(nameWrong("a b")).not.toBeNull();
    expect(variableWrong(variableRow("A B", "x"))).not.toBeNull();
    expect(variableWrong(variableRow("A", ""))).toBeNull();
  });
});
