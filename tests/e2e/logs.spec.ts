// Logs: long ones, hostile ones, searched, filtered, merged and saved.

import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";

import type { Page } from "@playwright/test";

import { axe, clear, docker, enter, expect, test } from "./testbed";

async function openLogs(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name }).getByRole("link", { name, exact: true }).click();
  await page.getByRole("tab", { name: "Logs" }).click();
}

test("a million lines are read, searched and walked through", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--detach", "--name", "talk", "busybox", "/bin/seq", "1", "1000000");
  docker(testbed, "wait", "talk");
  await enter(page, testbed);
  await openLogs(page, "talk");
  const log = page.getByRole("log");
  await expect(log).toContainText("1000000");
  await expect(page.getByText("10 000 lines", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Read all lines" }).click();
  await expect(page.getByText("1 000 000 lines", { exact: true })).toBeVisible({ timeout: 60_000 });
  await log.press("g");
  await expect(log.getByText("1", { exact: true })).toBeVisible();
  await expect(log.getByText("1000000", { exact: true })).toHaveCount(0);

  await page.getByRole("button", { name: "Regular expression" }).click();
  await page.getByRole("searchbox", { name: "Search logs" }).fill("^77777\\d$");
  await expect(page.getByText("10 of 10")).toBeVisible();
  await expect(log.getByText("777779", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Previous match" }).click();
  await expect(page.getByText("9 of 10")).toBeVisible();
  await page.getByRole("button", { name: "Only matches" }).click();
  await expect(log.getByText("777770", { exact: true })).toBeVisible();
  await expect(log.getByText("999999", { exact: true })).toHaveCount(0);
  await page.getByRole("searchbox", { name: "Search logs" }).fill("(");
  await expect(page.getByRole("alert")).toContainText("This is no regular expression");
  expect(await log.locator(".l").count()).toBeLessThan(200);
  clear(testbed);
});

test("a log of 5 GB is opened at its end at once", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--detach", "--name", "huge", "busybox", "/bin/seq", "1", "20000");
  docker(testbed, "wait", "huge");
  // Five gigabytes of nothing come before what it printed: a reader that begins at the end never meets them.
  const path = docker(testbed, "inspect", "--format", "{{.LogPath}}", "huge");
  const printed = readFileSync(path);
  const file = openSync(path, "r+");
  const size = 5 * 2 ** 30;
  ftruncateSync(file, size);
  writeSync(file, printed, 0, printed.length, size - printed.length);
  writeSync(file, Buffer.alloc(printed.length), 0, printed.length, 0);
  closeSync(file);
  await enter(page, testbed);
  await openLogs(page, "huge");
  await expect(page.getByRole("log").getByText("20000", { exact: true })).toBeVisible();
  await expect(page.getByText("10 000 lines", { exact: true })).toBeVisible();
  clear(testbed);
});

test("levels, JSON, stderr and hostile lines are shown as what they are", async ({ page, testbed }) => {
  clear(testbed);
  const lines = [
    "echo 'INFO ready'",
    "echo 'ERROR payment failed' >&2",
    `echo '{"level":"warn","msg":"slow","took":1842}'`,
    "echo '<img src=x onerror=alert(1)> <b>bold</b>'",
    "printf '\\033[31mred\\033[0m \\033[2J\\033]0;title\\007after\\n'",
    "printf '\\342\\200\\256right to left\\n'",
    // Without what is looked for below.
    "busybox head -c 300 /dev/urandom | busybox tr -d '=x'",
    "busybox head -c 1000000 /dev/zero | busybox tr '\\000' x; echo",
    "echo last",
    "exec sleep 1000",
  ].join("; ");
  docker(testbed, "run", "--detach", "--name", "mixed", "busybox", "/bin/sh", "-c", lines);
  await enter(page, testbed);
  await openLogs(page, "mixed");
  const log = page.getByRole("log");
  await expect(log).toContainText("last");
  await log.press("g");
  await expect(log).toContainText("<img src=x onerror=alert(1)> <b>bold</b>");
  await expect(log.locator("img, b")).toHaveCount(0);
  await expect(log.locator(".a-red")).toHaveText("red");
  await expect(log.locator(".lv-error.se")).toContainText("payment failed");
  await log.getByRole("button", { name: "JSON of this line" }).click();
  await expect(log).toContainText('"took": 1842');
  await log.getByRole("button", { name: "Show all 1 MB" }).click();
  const line = page.getByRole("dialog", { name: "One line of the log" });
  const whole = await line.getByRole("textbox", { name: "The whole line" }).inputValue();
  expect(whole.endsWith("x".repeat(1_000_000)), "what head printed before it had no end of line").toBe(true);
  await axe(page, "A long line");
  await line.getByRole("button", { name: "Close" }).last().click();
  await axe(page, "Logs");
  // Patterns with many ways through a line of a megabyte: the page goes on answering.
  await page.getByRole("button", { name: "Regular expression" }).click();
  const sought = page.getByRole("searchbox", { name: "Search logs" });
  for (const [pattern, found] of [["(x+x+)+y", "None"], [".*.*.*=.*", "1 of 1"], ["(x+)+$", "1 of 1"]] as const) {
    await sought.fill(pattern);
    await expect(page.getByText(found, { exact: true })).toBeVisible();
  }
  await sought.fill("");
  await page.getByRole("button", { name: "Regular expression" }).click();
  await page.getByRole("combobox", { name: "Levels" }).selectOption({ label: "Errors" });
  await expect(log.locator(".l")).toHaveCount(1);
  await page.getByRole("combobox", { name: "Levels" }).selectOption({ label: "All levels" });
  await page.getByRole("button", { name: "Save the log" }).click();
  const saved = page.getByText(/\.log$/);
  await expect(saved).toBeVisible();
  const text = readFileSync(((await saved.textContent()) ?? "").trim(), "utf8");
  expect(text).toContain("ERROR payment failed");
  expect(text).not.toContain("\u001b");

  await page.getByRole("combobox", { name: "Which lines" }).selectOption({ label: "From … to" });
  await page.getByLabel("From").fill("2020-01-01T00:00");
  await page.getByLabel("to", { exact: true }).fill("2020-01-02T00:00");
  await expect(page.getByText("Nothing printed yet")).toBeVisible();
  await page.getByRole("combobox", { name: "Which lines" }).selectOption({ label: "Last 15 min" });
  await expect(log).toContainText("last");
  docker(testbed, "exec", "mixed", "sh", "-c", "echo fresh >/proc/1/fd/1");
  await expect(log).toContainText("fresh");
  clear(testbed);
});

test("the log of a project is merged by time", async ({ page, testbed }) => {
  clear(testbed);
  for (const name of ["web", "db"]) {
    const label = ["--label", "com.docker.compose.project=shop"];
    docker(testbed, "run", "--detach", "--name", name, ...label, "busybox", "/bin/sh", "-c", "exec sleep 1000");
  }
  for (const [name, word] of [["web", "first"], ["db", "second"], ["web", "third"]] as const) {
    docker(testbed, "exec", name, "sh", "-c", `echo ${word} >/proc/1/fd/1`);
  }
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("button", { name: "Logs of shop" }).click();
  const log = page.getByRole("log");
  await expect(log.locator(".tx")).toHaveText(["first", "second", "third"]);
  await expect(log.locator(".of")).toHaveText(["web", "db", "web"]);
  docker(testbed, "exec", "db", "sh", "-c", "echo fourth >/proc/1/fd/1");
  await expect(log.locator(".tx")).toHaveText(["first", "second", "third", "fourth"]);
  await axe(page, "Logs of a project");
  clear(testbed);
});
