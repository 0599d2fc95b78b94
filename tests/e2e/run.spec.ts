// The run form: a tutorial's line fills it, a file of variables is read, a terminal answers, a taken port is named.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AxeBuilder } from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";

import { clear, docker, enter, expect, test, type Testbed } from "./testbed";

const PYTHON = "python:3.13-slim";

/** What the tutorial's reader has: the image, and a folder with a page and a file of variables. */
function site(testbed: Testbed): string {
  docker(testbed, "pull", "--quiet", PYTHON);
  const folder = mkdtempSync(join(tmpdir(), "wherry site "));
  writeFileSync(join(folder, "index.html"), "<h1>It is served</h1>");
  writeFileSync(join(folder, ".env"), 'TOKEN="s3cret-enough"\nMODE=on # the default\n');
  return folder;
}

async function paste(page: Page, line: string, folder: string): Promise<Locator> {
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("button", { name: "Run an image" }).first().click();
  await page.getByRole("button", { name: "Paste a docker run line" }).click();
  await page.getByRole("textbox", { name: "Paste a docker run line" }).fill(line);
  const where = page.getByRole("textbox", { name: "The folder it speaks of" });
  if (folder !== "") await where.fill(folder);
  const fill = page.getByRole("button", { name: "Fill the form" });
  await expect(fill).toBeEnabled();
  await fill.click();
  return page.getByRole("dialog");
}

test("a tutorial's line fills the form, and what runs is what docker would have run", async ({ page, testbed, request }) => {
  clear(testbed);
  const folder = site(testbed);
  await enter(page, testbed);
  const line = `docker run -d --name api \\
    -p 3000:8000 -v "$(pwd)":/app \\
    -v "$(pwd)/index.html":/page.html:ro \\
    --env-file .env -e DEBUG=1 -m 256m --label 'note=<b>&amp;</b>' \\
    -w /app ${PYTHON} python -m http.server 8000`;
  const run = await paste(page, line, folder);

  await expect(run.getByRole("textbox", { name: "Image" })).toHaveValue(PYTHON);
  await expect(run.getByRole("textbox", { name: "Name", exact: true })).toHaveValue("api");
  await expect(run.getByRole("textbox", { name: "Port on this computer" })).toHaveValue("3000");
  await expect(run.getByRole("textbox", { name: "Command", exact: true })).toHaveValue("python -m http.server 8000");
  await expect(run.getByRole("group", { name: "Folder or volume 1" })).toContainText(/./);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`)).toEqual([]);

  // What the program will see of the file is not what its writer thinks.
  await run.getByRole("button", { name: "What it really says" }).click();
  await expect(run.getByRole("row", { name: /TOKEN/ })).toContainText("quotes", { ignoreCase: true });
  await expect(run.getByText("s3cret-enough")).toHaveCount(0);
  await run.getByRole("button", { name: "Back to the form" }).click();

  await run.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { name: "api" })).toBeVisible();
  await expect
    .poll(() => request.get("http://127.0.0.1:3000/").then((answer) => answer.text(), () => ""))
    .toContain("It is served");
  const [made] = JSON.parse(docker(testbed, "inspect", "api")) as [Made];
  expect(made.Config.Env).toEqual(expect.arrayContaining(['TOKEN="s3cret-enough"', "MODE=on # the default", "DEBUG=1"]));
  expect(made.Config.Labels["note"]).toBe("<b>&amp;</b>");
  expect(made.Config.WorkingDir).toBe("/app");
  expect(made.HostConfig.Memory).toBe(256 * 1024 * 1024);
  expect(docker(testbed, "exec", "api", "cat", "/page.html")).toContain("It is served");

  // The file of clicks has the same line.
  await page.keyboard.press("Control+h");
  await expect(page.getByRole("heading", { name: "What I clicked" })).toBeVisible();
  await expect(page.getByText(/docker run .*--name api/).first()).toBeVisible();
  clear(testbed);
  rmSync(folder, { recursive: true });
});

interface Made {
  Config: { Env: string[]; Labels: Record<string, string>; WorkingDir: string };
  HostConfig: { Memory: number };
}

test("docker run -it opens its terminal with its first words, and --rm leaves nothing", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "pull", "--quiet", PYTHON);
  await enter(page, testbed);
  const run = await paste(page, `docker run -it --rm --name talk ${PYTHON} python`, "");
  await expect(run.getByRole("group", { name: "Equivalent command" })).toContainText("--rm");
  await run.getByRole("button", { name: "Run", exact: true }).click();
  const screen = page.getByRole("group", { name: /in talk$/ });
  await expect(screen).toContainText("Type \"help\"");
  await screen.getByRole("textbox").focus();
  await page.keyboard.type("6 * 7\n");
  await expect(screen).toContainText("42");
  await page.keyboard.type("exit()\n");
  await expect.poll(() => docker(testbed, "ps", "--all", "--quiet")).toBe("");
});

test("a flag that Wherry does not know is named, and a mistake is explained", async ({ page, testbed }) => {
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("button", { name: "Run an image" }).first().click();
  await page.getByRole("button", { name: "Paste a docker run line" }).click();
  const line = page.getByRole("textbox", { name: "Paste a docker run line" });
  await line.fill("docker run --sails=3 busybox");
  await expect(page.getByText("--sails", { exact: false }).last()).toBeVisible();
  await line.fill('docker run -e "A=1 busybox');
  await expect(page.getByText(/quot/).last()).toBeVisible();
  await expect(page.getByRole("button", { name: "Fill the form" })).toBeDisabled();
});

test("whoever holds the port is named, and the next free one is offered", async ({ page, testbed }) => {
  clear(testbed);
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as AddressInfo;
  await enter(page, testbed);
  const run = await paste(page, `docker run -d --name late -p 127.0.0.1:${port}:80 busybox sleep 1000`, "");
  const row = run.getByRole("group", { name: "Port 1" });
  await expect(row).toContainText(/node/);
  await row.getByRole("button", { name: /\d+/ }).click();
  await run.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { name: "late" })).toBeVisible();
  expect(docker(testbed, "port", "late")).not.toContain(`:${port}`);
  holder.close();
  clear(testbed);
});
