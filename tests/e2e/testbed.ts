// A registry, a native engine and the UI served on it, once for all tests: see tests/testbed.rs.

import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { AxeBuilder } from "@axe-core/playwright";
import { type APIRequestContext, type Page, expect, test as base } from "@playwright/test";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Testbed {
  /** The UI's address with its token. */
  address: string;
  /** `DOCKER_HOST` of the engine. */
  docker: string;
  /** A registry that lets in everybody; the engine asks it in place of Docker Hub. */
  registry: string;
  /** A registry that lets in `ada` with the password `s:cret`. */
  private: string;
  /** The same over TLS, with a certificate that nobody trusts. On this computer itself an engine does not mind. */
  secure: string;
  /** The same again, with tokens that another server gives out. */
  withToken: string;
  /** This computer under an address that is not its own: an engine asks what is there as it asks anybody. */
  bridge: string;
  /** What a server there has whom nobody trusts: two files. */
  identity: { certificate: string; key: string };
  /** The UI's own folder; docker's configuration is in it. */
  home: string;
  /** A tar for `docker import`. */
  busybox: string;
}

export const test = base.extend<{ page: Page }, { testbed: Testbed }>({
  testbed: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const program = process.env.WHERRY_TESTBED ?? `${root}target/debug/testbed`;
      const child = spawn(program, [`${root}ui/dist`], { stdio: ["pipe", "pipe", "inherit"] });
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      const line = await new Promise<string>((resolve, reject) => {
        createInterface({ input: child.stdout }).once("line", resolve);
        child.once("exit", (code) => reject(new Error(`the testbed ended with ${code}`)));
      });
      const testbed = JSON.parse(line) as Testbed;
      docker(testbed, "import", testbed.busybox, "busybox");
      await use(testbed);
      child.stdin.end();
      await ended;
    },
    { scope: "worker", timeout: 600_000 },
  ],
});

export { expect, type Page };

/** The docker command against the testbed's engine: what the person's terminal would do. */
export function docker(testbed: Testbed, ...args: string[]): string {
  return execFileSync("docker", ["--host", testbed.docker, ...args], { encoding: "utf8" }).trim();
}

/** Removes every container, so that a test begins with an empty list. */
export function clear(testbed: Testbed): void {
  const ids = docker(testbed, "ps", "--all", "--quiet").split("\n").filter(Boolean);
  if (ids.length > 0) docker(testbed, "rm", "--force", ...ids);
}

/** Asks the app as no window does. */
export async function ask(request: APIRequestContext, testbed: Testbed, command: string): Promise<unknown> {
  const answer = await request.post(new URL(`/api/call/${command}`, testbed.address).href, {
    headers: { authorization: `Bearer ${new URL(testbed.address).searchParams.get("token") ?? ""}`, "content-type": "application/json" },
    data: "null",
  });
  return answer.json();
}

/** Opens the app past its welcome. */
export async function enter(page: Page, testbed: Testbed): Promise<void> {
  await page.goto(testbed.address);
  const welcome = page.getByRole("button", { name: "Go to the app" });
  const home = page.getByRole("navigation", { name: "Main" });
  await expect(welcome.or(home).first()).toBeVisible();
  if (await welcome.isVisible()) await welcome.click();
  await expect(home).toBeVisible();
}

/** Nothing that a person with a screen reader or a keyboard would trip over, in both themes. */
export async function axe(page: Page, where: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(" | ")}`);
    expect(found, `${where}, ${colorScheme}`).toEqual([]);
  }
}
