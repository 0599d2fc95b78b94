// Images that people begin with, and what each needs to be told. They open the run form, which shows all of it.

import { emptySpec, published } from "$features/run/spec";
import type { RunSpec } from "$lib/api";

export type QuickStart = {
  title: string;
  about: string;
  image: string;
  name: string;
  /** On this computer, and in the container. */
  port: [number, number];
  /** Variables whose value is a secret made for this run. */
  secrets: string[];
  /** What would be lost with the container, kept in a volume of its name. */
  keeps: string | null;
};

export const QUICK_STARTS: QuickStart[] = [
  {
    title: "Postgres",
    about: "A database. Its data is in a volume.",
    image: "postgres:17",
    name: "postgres",
    port: [5432, 5432],
    secrets: ["POSTGRES_PASSWORD"],
    keeps: "/var/lib/postgresql/data",
  },
  {
    title: "Redis",
    about: "A fast store. It keeps its data, too.",
    image: "redis:8",
    name: "redis",
    port: [6379, 6379],
    secrets: [],
    keeps: "/data",
  },
  {
    title: "nginx",
    about: "A web server with a first page.",
    image: "nginx",
    name: "nginx",
    port: [8080, 80],
    secrets: [],
    keeps: null,
  },
  {
    title: "Jupyter",
    about: "Notebooks, kept in a volume.",
    image: "quay.io/jupyter/scipy-notebook",
    name: "jupyter",
    port: [8888, 8888],
    secrets: ["JUPYTER_TOKEN"],
    keeps: "/home/jovyan/work",
  },
  {
    title: "FastAPI",
    about: "A small web API in Python.",
    image: "tiangolo/uvicorn-gunicorn-fastapi:python3.11",
    name: "fastapi",
    port: [8000, 80],
    secrets: [],
    keeps: null,
  },
];

const LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";
const SECRET_LENGTH = 20;

/** Of letters that nobody mixes up and no shell needs quotes for. */
export function secret(): string {
  const random = crypto.getRandomValues(new Uint8Array(SECRET_LENGTH));
  return [...random].map((byte) => LETTERS[byte % LETTERS.length]).join("");
}

/** The name gets a number where there is such a container already. */
export function specOf(start: QuickStart, names: ReadonlySet<string>): RunSpec {
  let name = start.name;
  for (let number = 2; names.has(name); number += 1) name = `${start.name}-${number}`;
  return {
    ...emptySpec(start.image),
    name,
    ports: [published(...start.port)],
    mounts:
      start.keeps === null
        ? []
        : [{ source: { type: "volume", name: `${name}-data` }, target: start.keeps, readOnly: false, options: [] }],
    environment: start.secrets.map((variable) => ({ name: variable, value: secret() })),
  };
}
