// The rows of ports: what is asked about them, and what is wrong with them.

import type { ExposedPort, PortAnswer, PortQuestion } from "$lib/api";
import { portRow, type Form, type PortRow } from "./form";

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

/** A port, or several with a hyphen: `8000-8010`. */
export function portRange(text: string): { first: number; last: number | null } | null {
  const [from, to, more] = text.trim().split("-");
  const first = portNumber(from ?? "");
  if (first === null || more !== undefined) return null;
  if (to === undefined) return { first, last: null };
  const last = portNumber(to);
  if (last === null || last < first) return null;
  return { first, last: last === first ? null : last };
}

export function isBlank(row: PortRow): boolean {
  return row.host.trim() === "" && row.container.trim() === "";
}

/** What to ask the computer about a row; `null` when there is nothing to ask. */
export function questionOf(row: PortRow): PortQuestion | null {
  const range = portRange(row.host);
  return range === null ? null : { address: row.address.trim() || null, port: range.first, protocol: row.protocol };
}

export function questionKey(question: PortQuestion): string {
  const { address, port, protocol } = question;
  return `${address === null ? "" : `${address}:`}${port}/${protocol}`;
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
  const container = portRange(row.container);
  if (container === null) {
    return { state: "bad", say: `${row.container} is not a port: 1 to 65535`, field: "container", instead: null };
  }
  if (row.host.trim() === "") return { state: "any" };
  const host = portRange(row.host);
  const question = questionOf(row);
  if (question === null || host === null) {
    return { state: "bad", say: `${row.host} is not a port: 1 to 65535`, field: "host", instead: null };
  }
  const many = (range: { first: number; last: number | null }) => (range.last ?? range.first) - range.first;
  if (container.last !== null && many(container) !== many(host)) {
    return { state: "bad", say: "Both sides need as many ports", field: "host", instead: null };
  }
  const earlier = form.ports.slice(0, form.ports.indexOf(row));
  if (earlier.some((other) => sameHostPort(other, row, question.port))) {
    return { state: "bad", say: `${question.port} is used twice here`, field: "host", instead: freeBeside(form, question.port) };
  }
  const answer = answers.get(questionKey(question));
  if (answer === undefined) return { state: "checking" };
  if (answer.free) return { state: "free", say: answer.sentence };
  return { state: "bad", say: answer.sentence, field: "host", instead: answer.nextFree };
}

function sameHostPort(one: PortRow, other: PortRow, port: number): boolean {
  const [first, second] = [one.address.trim(), other.address.trim()];
  const meet = first === second || first === "" || second === "";
  return meet && one.protocol === other.protocol && portRange(one.host)?.first === port;
}

function freeBeside(form: Form, port: number): number {
  const used = new Set(form.ports.map((row) => portNumber(row.host)));
  let next = port + 1;
  while (used.has(next)) next += 1;
  return next;
}

/** The remedy of a taken port, done: the row that asked for it asks for another. */
export function usePort(form: Form, taken: number, instead: number): void {
  for (const row of form.ports) {
    if (portRange(row.host)?.first === taken) row.host = String(instead);
  }
}
