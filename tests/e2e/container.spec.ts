// A container's own page: its terminal, its files, what it says of itself.

import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { clear, docker, enter, expect, test, type Testbed } from "./testbed";

async function openContainer(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name }).getByRole("link", { name, exact: true }).click();
  await expect(page.getByRole("heading", { name })).toBeVisible();
}

async function axe(page: Page, where: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(" | ")}`);
    expect(found, `${where}, ${colorScheme}`).toEqual([]);
  }
}

/** An image with one program and no shell. */
function bareImage(testbed: Testbed): void {
  const folder = mkdtempSync(join(tmpdir(), "wherry-bare"));
  execFileSync("tar", ["-xf", testbed.busybox, "-C", folder]);
  mkdirSync(join(folder, "app"));
  execFileSync("cp", ["-L", join(folder, "bin/busybox"), join(folder, "app/busybox")]);
  execFileSync("tar", ["-cf", join(folder, "bare.tar"), "-C", folder, "app"]);
  docker(testbed, "import", join(folder, "bare.tar"), "bare");
  rmSync(folder, { recursive: true });
}

test("a terminal survives leaving the page, and a flood ends with Ctrl C", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--detach", "--name", "api", "busybox", "/bin/sleep", "1000");
  await enter(page, testbed);
  await openContainer(page, "api");
  await page.getByRole("tab", { name: "Terminal" }).click();
  const screen = page.getByRole("group", { name: /in api$/ });
  await expect(screen).toContainText("#");
  await expect(page.getByText(/Same as docker exec -it api/)).toBeVisible();
  await page.keyboard.type("X=kept; echo first-$X\n");
  await expect(screen).toContainText("first-kept");
  await axe(page, "Terminal");

  await page.getByRole("tab", { name: "Logs" }).click();
  await page.getByRole("tab", { name: "Terminal" }).click();
  await expect(screen).toContainText("first-kept");
  await page.keyboard.type("echo second-$X\n");
  await expect(screen).toContainText("second-kept");

  await page.keyboard.type("clear; yes flood\n");
  await expect(screen).toContainText("flood");
  await page.keyboard.press("Control+c");
  await page.keyboard.type("echo a''fter\n");
  await expect(screen).toContainText("after");

  await page.getByRole("button", { name: "Larger text" }).click();
  await expect(page.getByText("14", { exact: true })).toBeVisible();
  await screen.getByRole("textbox").focus();
  await page.keyboard.press("Control+0");
  await expect(page.getByText("13", { exact: true })).toBeVisible();

  await page.getByRole("button", { name: "New terminal" }).click();
  const terminals = page.getByRole("tablist", { name: "Terminals" }).getByRole("tab");
  await expect(terminals).toHaveCount(2);
  await expect(screen).toContainText("#");
  await page.keyboard.type("exit 3\n");
  await expect(page.getByText("Ended with code 3")).toBeVisible();
  await page.getByRole("button", { name: /^Close / }).click();
  await expect(terminals).toHaveCount(1);
  clear(testbed);
});

test("an image without a shell gets a debug shell", async ({ page, testbed }) => {
  clear(testbed);
  bareImage(testbed);
  docker(testbed, "run", "--detach", "--name", "bare", "bare", "/app/busybox", "sleep", "54321");
  await enter(page, testbed);
  await openContainer(page, "bare");
  await page.getByRole("tab", { name: "Terminal" }).click();
  await expect(page.getByRole("heading", { name: "This image has no shell" })).toBeVisible();
  await expect(page.getByRole("radio", { name: /busybox/ })).toBeChecked();
  await expect(page.getByRole("group", { name: "Equivalent command" })).toContainText("--pid container:bare");
  await axe(page, "No shell");
  await page.getByRole("button", { name: "Open debug shell" }).click();
  const screen = page.getByRole("group", { name: /in bare$/ });
  await expect(screen).toContainText("#");
  await page.keyboard.type("ls /proc/1/root/app; ps\n");
  await expect(screen).toContainText("sleep 54321");
  await page.getByRole("button", { name: /^Close / }).click();
  await expect.poll(() => docker(testbed, "ps", "--quiet", "--filter", "label=app.wherry.debug")).toBe("");
  clear(testbed);
});
