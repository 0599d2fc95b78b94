// The run form: what the person typed, what is wrong with it, and the spec it makes.

import { quote, split } from "shlex";
import type { ExposedPort, ImageDetail, PortAnswer, PortQuestion, Problem, Protocol, PublishedPort, RunSpec, Variable } from "$lib/api";

export type PortRow = { key: number; host: string; container: string; protocol: Protocol };
export type VariableRow = { key: number; name: string; value: string };

export type Form = {
  image: string;
  name: string;
  ports: PortRow[];
  variables: VariableRow[];
  command: string;
  removeWhenStopped: boolean;
};

let lastKey = 0;

export function portRow(host = "", container = "", protocol: Protocol = "tcp"): PortRow {
  return { key: ++lastKey, host, container, protocol };
}

export function variableRow(name = "", value = ""): VariableRow {
  return { key: ++lastKey, name, value };
}

export function emptyForm(image = ""): Form {
  return { image, name: "", ports: [portRow()], variables: [], command: "", removeWhenStopped: false };
}

/** Ports under 1024 often belong to the system: 80 is wished for as 8080, 443 as 8443. */
export function wishedHostPort(exposed: number): number {
  return exposed < 1024 ? exposed + 8000 : exposed;
}

/** One row for each port that the image exposes, on a host port that is free. */
export async function portsOf(
  exposed: ExposedPort[],
  check: (question: PortQuestion) => Promise<PortAnswer>,
): Promise<PortRow[]> {
  const taken = new Set<number>();
  const rows: PortRow[] = [];
  for (const { port, protocol } of exposed) {
    let wished = wishedHostPort(port);
    while (taken.has(wished)) wished += 1;
    const answer = await check({ address: null, port: wished, protocol });
    const host = answer.free ? wished : answer.nextFree;
    if (host !== null) taken.add(host);
    rows.push(portRow(host === null ? "" : String(host), String(port), protocol));
  }
  return rows.length > 0 ? rows : [portRow()];
}

export function portNumber(text: string): number | null {
  if (!/^\d{1,5}$/.test(text.trim())) return null;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : null;
}

export function isBlank(row: PortRow): boolean {
  return row.host.trim() === "" && row.container.trim() === "";
}

/** What to ask the computer about a row; `null` when there is nothing to ask. */
export function questionOf(row: PortRow): PortQuestion | null {
  const port = portNumber(row.host);
  return port === null ? null : { address: null, port, protocol: row.protocol };
}

export function questionKey(question: PortQuestion): string {
  return `${question.port}/${question.protocol}`;
}

export type PortVerdict =
  | { state: "none" }
  | { state: "checking" }
  | { state: "any" }
  | { state: "free"; say: string }
  | { state: "bad"; say: string; field: "host" | "container"; instead: number | null };

export function portVerdict(form: Form, row: PortRow, answers: ReadonlyMap<string, PortAnswer>): PortVerdict {
  if (isBlank(row)) return { state: "none" };
  if (row.container.trim() === "") {
    return { state: "bad", say: "Which port in the container?", field: "container", instead: null };
  }
  if (portNumber(row.container) === null) {
    return { state: "bad", say: `${row.container} is not a port: 1 to 65535`, field: "container", instead: null };
  }
  if (row.host.trim() === "") return { state: "any" };
  const question = questionOf(row);
  if (question === null) {
    return { state: "bad", say: `${row.host} is not a port: 1 to 65535`, field: "host", instead: null };
  }
  const earlier = form.ports.slice(0, form.ports.indexOf(row));
  if (earlier.some((other) => portNumber(other.host) === question.port && other.protocol === row.protocol)) {
    return { state: "bad", say: `${question.port} is used twice here`, field: "host", instead: freeBeside(form, question.port) };
  }
  const answer = answers.get(questionKey(question));
  if (answer === undefined) return { state: "checking" };
  if (answer.free) return { state: "free", say: answer.sentence };
  return { state: "bad", say: answer.sentence, field: "host", instead: answer.nextFree };
}

function freeBeside(form: Form, port: number): number {
  const used = new Set(form.ports.map((row) => portNumber(row.host)));
  let next = port + 1;
  while (used.has(next)) next += 1;
  return next;
}

export function nameWrong(name: string): string | null {
  const trimmed = name.trim();
  if (trimmed === "" || /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(trimmed)) return null;
  if (trimmed.length === 1) return "A name has two characters or more";
  return "Letters, digits, and _ . - after the first";
}

/** Words as a shell splits them; `null` while a quote is open. */
export function words(command: string): string[] | null {
  try {
    return split(command);
  } catch {
    return null;
  }
}

export function commandWrong(command: string): string | null {
  return words(command) === null ? "A quote is not closed" : null;
}

/** The command as text that `words` takes apart again. */
export function asText(command: string[]): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quote(word))).join(" ");
}

export function variableWrong(row: VariableRow): string | null {
  const name = row.name.trim();
  if (name === "") return row.value === "" ? null : "A value without a name";
  return /[=\s\0]/.test(name) ? "A name has no blanks and no =" : null;
}

/** Variables of the image are its defaults: only what differs from them is passed on. */
export function variablesOf(rows: VariableRow[], detail: ImageDetail | null): Variable[] {
  const defaults = new Map(detail?.environment.map(({ name, value }) => [name, value]));
  return rows
    .map(({ name, value }) => ({ name: name.trim(), value }))
    .filter(({ name, value }) => name !== "" && defaults.get(name) !== value);
}

/** Rows that are not finished yet are left out, so that the command line can be shown at every key. */
export function toSpec(form: Form, detail: ImageDetail | null): RunSpec {
  const ports = form.ports.flatMap((row): PublishedPort[] => {
    const containerPort = portNumber(row.container);
    const hostPort = portNumber(row.host);
    if (containerPort === null || (hostPort === null && row.host.trim() !== "")) return [];
    return [{ hostAddress: null, hostPort, containerPort, protocol: row.protocol }];
  });
  return {
    image: form.image.trim(),
    name: form.name.trim() || null,
    ports,
    environment: variablesOf(form.variables, detail),
    command: words(form.command) ?? [],
    removeWhenStopped: form.removeWhenStopped,
  };
}

/** Why Run is off, in a few words; `null` when it is on. */
export function toFix(form: Form, answers: ReadonlyMap<string, PortAnswer>, nameTaken: string | null): string | null {
  if (form.image.trim() === "") return "Choose an image";
  if (/\s/.test(form.image.trim())) return "An image's name has no blanks";
  const ports = form.ports.filter((row) => portVerdict(form, row, answers).state === "bad").length;
  const wrong: string[] = [];
  if (ports > 0) wrong.push(`${ports} ${ports === 1 ? "port" : "ports"}`);
  if (nameWrong(form.name) !== null || (nameTaken !== null && nameTaken === form.name.trim())) wrong.push("the name");
  const variables = form.variables.filter((row) => variableWrong(row) !== null).length;
  if (variables > 0) wrong.push(`${variables} ${variables === 1 ? "variable" : "variables"}`);
  if (commandWrong(form.command) !== null) wrong.push("the command");
  if (wrong.length === 0) return null;
  const last = wrong.pop();
  return `${wrong.length > 0 ? `${wrong.join(", ")} and ` : ""}${last} to fix`.replace(/^t/, "T");
}

/** The remedy of a taken port, done: the row that asked for it asks for another. */
export function usePort(form: Form, taken: number, instead: number): void {
  for (const row of form.ports) {
    if (portNumber(row.host) === taken) row.host = String(instead);
  }
}

/** Where a problem of the engine belongs in the form. */
export function placeOf(problem: Problem): "name" | "image" | "port" | "form" {
  if (problem.code === "nameTaken") return "name";
  if (problem.code === "imageNotFound") return "image";
  if (problem.code === "portTaken") return "port";
  return "form";
}
