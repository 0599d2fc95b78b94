// The list follows the engine, whoever changes it, and shows what it is told as text.

import { clear, docker, enter, expect, test } from "./testbed";

const hostile = `<img src=x onerror="document.title=1">`;

test("the list follows the terminal", async ({ page, testbed }) => {
  clear(testbed);
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await expect(page.getByRole("heading", { name: "No cargo yet" })).toBeVisible();
  docker(testbed, "run", "--detach", "--name", "web", "busybox", "/bin/sleep", "1000");
  const row = page.getByRole("row", { name: /web/ });
  await expect(row).toContainText("Running");
  await row.hover();
  await row.getByRole("button", { name: "Stop" }).click();
  await expect(row).toContainText("Exited");
  await row.hover();
  await row.getByRole("button", { name: "Start" }).click();
  await expect(row).toContainText("Running");
  // Its end is told by the engine before its list knows it.
  docker(testbed, "kill", "web");
  await expect(row).toContainText("Exited 137");
  docker(testbed, "rm", "--force", "web");
  await expect(row).toHaveCount(0);
});

test("several at once", async ({ page, testbed }) => {
  clear(testbed);
  for (const name of ["one", "two", "three"]) docker(testbed, "create", "--name", name, "busybox", "/bin/sleep", "1000");
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name: /one/ }).getByRole("checkbox").check();
  await page.getByRole("row", { name: /two/ }).getByRole("checkbox").check();
  const bar = page.getByRole("toolbar", { name: /selected/ });
  await bar.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByRole("row", { name: /one/ })).toContainText("Running");
  await expect(page.getByRole("row", { name: /two/ })).toContainText("Running");
  await expect(page.getByRole("row", { name: /three/ })).toContainText("Created");
  await page.getByRole("searchbox").fill("thr");
  await expect(page.getByRole("row", { name: /one/ })).toHaveCount(0);
  // Nothing is done to what is selected and not in view.
  await expect(bar).toHaveCount(0);
  await page.getByRole("row", { name: /three/ }).getByRole("checkbox").check();
  await expect(bar).toContainText("1 selected, 2 more hidden");
  await expect(bar).toContainText("docker start three");
  await bar.getByRole("button", { name: "Delete…" }).hover();
  await expect(bar).toContainText(/docker rm three\s*$/);
  clear(testbed);
});

test("hostile words in a log stay words", async ({ page, testbed }) => {
  clear(testbed);
  const command = `echo '${hostile}'; printf '\\033]0;owned\\007\\033[31mred\\033[0m\\n'; echo first >&2; /bin/sleep 1000`;
  docker(testbed, "run", "--detach", "--name", "loud", "busybox", "/bin/sh", "-c", command);
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name: /loud/ }).getByRole("link", { name: "loud" }).click();
  await page.getByRole("tab", { name: "Logs" }).click();
  const log = page.getByRole("log");
  await expect(log).toContainText(hostile);
  await expect(log).toContainText("red");
  await expect(log.locator("img")).toHaveCount(0);
  expect(await page.title()).toBe("loud · Wherry");
  await page.getByRole("searchbox", { name: "Search logs" }).fill("first");
  await expect(page.getByText("1 of 1")).toBeVisible();
  clear(testbed);
});
