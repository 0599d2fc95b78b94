import { expect, test } from "vitest";
import { QUICK_STARTS, secret, specOf } from "./quickStarts";

test("a quick start brings a name that is free and a secret of its own", () => {
  const postgres = QUICK_STARTS[0]!;
  const spec = specOf(postgres, new Set(["postgres", "postgres-2"]));
  expect([spec.image, spec.name]).toEqual(["postgres:17", "postgres-3"]);
  expect(spec.ports).toMatchObject([{ hostPort: 5432, containerPort: 5432 }]);
  expect(spec.environment.map((variable) => variable.name)).toEqual(["POSTGRES_PASSWORD"]);
  expect(spec.environment[0]?.value).toMatch(/^[a-z2-9]{20}$/);
  // Two of them must not write into the same files.
  expect(spec.mounts).toMatchObject([{ source: { name: "postgres-3-data" }, target: "/var/lib/postgresql/data" }]);
  expect(secret()).not.toBe(secret());
});
