// "Why did it stop?": the story on the container's page, its words in the list, and the remedy in the run form.

import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { clear, docker, enter, expect, test } from "./testbed";

async function axe(page: Page, where: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(" | ")}`);
    expect(found, `${where}, ${colorScheme}`).toEqual([]);
  }
}

test("one that ran out of memory says so, and the form opens with more", async ({ page, testbed }) => {
  clear(testbed);
  const script = "echo 'loading <b>train</b>'; exec busybox tail /dev/zero";
  const hungry = ["run", "--detach", "--name", "trainer", "--memory", "16m", "--env", "EPOCHS=3"];
  docker(testbed, ...hungry, "busybox", "/bin/sh", "-c", script);
  docker(testbed, "wait", "trainer");
  docker(testbed, "run", "--detach", "--name", "done", "busybox", "/bin/true");
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  const row = page.getByRole("row", { name: "trainer" });
  await expect(row).toContainText("Out of memory");
  await expect(page.getByRole("row", { name: "done" })).toContainText("Finished normally");
  await axe(page, "List with reasons");
  await row.getByRole("link", { name: "Why? trainer" }).click();
  const story = page.getByRole("region", { name: "trainer ran out of memory and was stopped" });
  await expect(story).toContainText("It was allowed 16 MB");
  await expect(story).toContainText("OOMKilled: true");
  await expect(page.getByRole("group", { name: "Last lines before it stopped" })).toContainText("loading <b>train</b>");
  await axe(page, "Out of memory");
  await story.getByRole("button", { name: "Set 256 MB" }).click();
  const dialog = page.getByRole("dialog");
  const command = dialog.getByRole("group", { name: "Equivalent command" });
  await expect(command).toContainText("-m 256m");
  await expect(command).toContainText("EPOCHS=3");
  await expect(command).toContainText("--name trainer-2");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Open all logs" }).click();
  await expect(page.getByRole("log")).toContainText("loading");
  clear(testbed);
});

test("a crash loop is told with its reason and can be stopped", async ({ page, testbed }) => {
  clear(testbed);
  const script = "echo \"ModuleNotFoundError: No module named 'flask'\" >&2; exit 1";
  docker(testbed, "run", "--detach", "--name", "api", "--restart", "always", "busybox", "/bin/sh", "-c", script);
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name: "api" }).getByRole("link", { name: "api", exact: true }).click();
  const story = page.getByRole("region", { name: "api stops and is started again, again and again" });
  await expect(story).toContainText("Module flask is missing");
  await expect(story.getByRole("listitem").filter({ hasText: "requirements.txt" })).toContainText("flask");
  await story.getByRole("button", { name: "Stop api" }).click();
  await expect(page.getByRole("heading", { name: "Python does not find the module flask" })).toBeVisible();
  await axe(page, "Missing module");
  clear(testbed);
});
