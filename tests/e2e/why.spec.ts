// "Why did it stop?": the story on the container's page, its words in the list, and the remedy in the run form.

import { axe, clear, docker, enter, expect, test } from "./testbed";

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
  await page.getByRole("button", { name: /^Needs attention,? ?1$/ }).click();
  await expect(page.getByRole("row", { name: "done" })).toHaveCount(0);
  await expect(row).toBeVisible();
  await page.getByRole("button", { name: /^All/ }).click();
  await axe(page, "List with reasons");
  await row.getByRole("link", { name: "Why? trainer" }).click();
  const story = page.getByRole("region", { name: "trainer ran out of memory and was stopped" });
  await expect(story).toContainText("It was allowed 16 MB");
  // An older engine may miss it when the program ends at the same moment; then the kernel's own line says it.
  await expect(story).toContainText(/OOMKilled: true|oom-kill:/);
  await expect(page.getByRole("group", { name: "Last lines before it stopped" })).toContainText("loading <b>train</b>");
  await axe(page, "Out of memory");
  // The head says what the card says, and so does the list.
  await expect(page.getByText("Out of memory", { exact: true })).toHaveCount(2);
  await expect(page.getByText("Killed", { exact: true })).toHaveCount(0);
  await story.getByRole("button", { name: "Set 256 MB" }).click();
  const dialog = page.getByRole("dialog", { name: "Edit trainer" });
  const changes = dialog.getByRole("region", { name: "What changes" });
  await expect(changes.getByRole("listitem")).toHaveText([/Gone: -m 16m$/, /New: -m 256m$/]);
  const command = dialog.getByRole("group", { name: "Equivalent command" });
  await expect(command).toContainText("EPOCHS=3");
  await expect(command).toContainText("--name trainer ");
  await dialog.getByRole("textbox", { name: "Command", exact: true }).fill("/bin/sleep 1000");
  await dialog.getByRole("button", { name: "Run again" }).click();
  await expect(dialog).toHaveCount(0);
  expect(docker(testbed, "inspect", "--format", "{{.HostConfig.Memory}} {{.State.Running}}", "trainer")).toBe(`${256 << 20} true`);
  expect(docker(testbed, "ps", "--all", "--format", "{{.Names}}")).not.toContain("trainer-2");
  clear(testbed);
});

test("one that grew until its memory ran out shows how, and a full disk opens what can go", async ({ page, testbed }) => {
  clear(testbed);
  // 1.2 MB a second in /dev/shm, which counts as its memory. It is measured every 10 s, first after two readings: 40 s have
  // two samples wherever they fall.
  const grow = "echo growing; i=0; while :; do head -c 1200000 /dev/zero >/dev/shm/$i || exit 1; i=$((i+1)); sleep 1; done";
  docker(testbed, "run", "--detach", "--name", "grower", "--memory", "48m", "--shm-size", "1g", "busybox", "/bin/sh", "-c", grow);
  const full = "echo 'write failed: No space left on device' >&2; exit 1";
  docker(testbed, "run", "--detach", "--name", "full", "busybox", "/bin/sh", "-c", full);
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name: "full" }).getByRole("link", { name: "Why? full" }).click();
  await page.getByRole("button", { name: /free space/i }).click();
  await expect(page.getByRole("dialog", { name: /reclaim|free|space/i })).toBeVisible();
  await page.keyboard.press("Escape");
  docker(testbed, "wait", "grower");
  await page.getByRole("link", { name: /^Containers/ }).first().click();
  await page.getByRole("row", { name: "grower" }).getByRole("link", { name: "Why? grower" }).click();
  await expect(page.getByRole("img", { name: /^Memory before it stopped: memory at most \d+/ })).toBeVisible();
  await axe(page, "Memory of the last minutes");
  await page.getByRole("button", { name: "Open all logs" }).click();
  await expect(page.getByRole("log")).toContainText("growing");
  clear(testbed);
});

test("one that never started says why, and counts as in need of attention", async ({ page, testbed }) => {
  clear(testbed);
  expect(() => docker(testbed, "run", "--detach", "--name", "typo", "busybox", "fastapi", "run")).toThrow(/fastapi/);
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  const row = page.getByRole("row", { name: "typo" });
  await expect(row).toContainText("Created");
  await page.getByRole("button", { name: /^Needs attention,? ?1$/ }).click();
  await row.getByRole("link", { name: "Why? typo" }).click();
  const story = page.getByRole("region", { name: "There is no fastapi in the image" });
  await expect(story.getByRole("button", { name: "Change the command" })).toBeVisible();
  await axe(page, "Never started");
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
