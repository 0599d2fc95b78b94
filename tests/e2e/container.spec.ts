// A container's own page: its terminal, its files, what it says of itself.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Locator, Page } from "@playwright/test";

import { axe, clear, docker, enter, expect, test, type Testbed } from "./testbed";

async function openContainer(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name }).getByRole("link", { name, exact: true }).click();
  await expect(page.getByRole("heading", { name })).toBeVisible();
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
  await expect.poll(() => docker(testbed, "ps", "--all", "--quiet", "--filter", "label=app.wherry.debug")).toBe("");
  clear(testbed);
  docker(testbed, "rmi", "bare");
});

test("files are browsed, edited, uploaded, renamed and deleted", async ({ page, testbed }) => {
  clear(testbed);
  const make = "mkdir -p /app/data; echo 'print(1)' >/app/main.py; chmod 640 /app/main.py; chown 7:8 /app/main.py; head -c 3000 /dev/urandom >/app/blob; rm /www/index.html; exec /bin/sleep 1000";
  docker(testbed, "run", "--detach", "--name", "api", "--volume", "shared-data:/app/data", "busybox", "/bin/sh", "-c", make);
  await enter(page, testbed);
  await openContainer(page, "api");
  await page.getByRole("tab", { name: "Files" }).click();
  const grid = page.getByRole("grid", { name: /^Files in/ });
  await grid.getByRole("row", { name: /\bapp\b/ }).click();
  await expect(grid.getByRole("row", { name: /data/ })).toContainText("shared");
  await expect(grid.getByRole("row", { name: /main\.py/ })).toContainText("Added");
  await axe(page, "Files");

  await grid.getByRole("row", { name: /main\.py/ }).click();
  const text = page.getByRole("textbox", { name: "Text of main.py" });
  await expect(text).toContainText("print(1)");
  await text.focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("print(2)\n");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Not saved")).toHaveCount(0);
  expect(docker(testbed, "exec", "api", "/bin/sh", "-c", "cat /app/main.py; stat -c '%a %u:%g' /app/main.py")).toBe("print(2)\n640 7:8");
  await axe(page, "Editor");
  await page.getByRole("button", { name: "Close main.py" }).click();

  await grid.getByRole("row", { name: /blob/ }).click();
  await expect(page.getByText("It is not a text.")).toBeVisible();
  await page.getByRole("button", { name: "Close blob" }).click();

  const content = Buffer.alloc(3_000_000, "wherry ");
  await page.getByLabel("Files to upload").setInputFiles({ name: "a b.csv", mimeType: "text/csv", buffer: content });
  await expect(grid.getByRole("row", { name: /a b\.csv/ })).toBeVisible();
  expect(docker(testbed, "exec", "api", "/bin/sh", "-c", "md5sum </app/'a b.csv'")).toContain(createHash("md5").update(content).digest("hex"));

  await page.getByRole("button", { name: "New folder" }).click();
  const naming = page.getByRole("dialog", { name: "New folder" });
  await naming.getByRole("textbox", { name: "Name" }).fill("../out");
  await expect(naming.getByText("A name has no slash in it")).toBeVisible();
  await naming.getByRole("textbox", { name: "Name" }).fill("tests");
  await naming.getByRole("button", { name: "Make the folder" }).click();
  await expect(grid.getByRole("row", { name: /tests/ })).toBeVisible();

  await grid.getByRole("button", { name: "More for a b.csv" }).click();
  await page.getByRole("menuitem", { name: "Rename…" }).click();
  const renaming = page.getByRole("dialog", { name: /Rename/ });
  await renaming.getByRole("textbox", { name: "Name" }).fill("data.csv");
  await expect(renaming.getByRole("group", { name: "Equivalent command" })).toContainText("/app/data.csv");
  await renaming.getByRole("button", { name: "Rename" }).click();
  await expect(grid.getByRole("row", { name: /data\.csv/ })).toBeVisible();

  await grid.getByRole("button", { name: "More for data.csv" }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete data.csv" }).click();
  await expect(grid.getByRole("row", { name: /data\.csv/ })).toHaveCount(0);

  // What the image had and is gone; then a container that does not run.
  await page.getByRole("navigation", { name: "Folder" }).getByRole("button", { name: "/", exact: true }).click();
  await grid.getByRole("row", { name: /www/ }).click();
  await expect(grid.getByRole("row", { name: /index\.html/ })).toContainText("Deleted");
  docker(testbed, "kill", "api");
  await page.getByRole("navigation", { name: "Folder" }).getByRole("button", { name: "/", exact: true }).click();
  await grid.getByRole("row", { name: /\bapp\b/ }).click();
  await expect(grid.getByRole("row", { name: /main\.py/ })).toBeVisible();
  await grid.getByRole("button", { name: "More for main.py" }).click();
  await expect(page.getByRole("menuitem", { name: "Delete: start it first" })).toBeVisible();
  clear(testbed);
});

test("an overview with lamps, and the fix for an app that answers only itself", async ({ page, testbed }) => {
  clear(testbed);
  const secret = "--env=API_TOKEN=hunter2hunter2";
  docker(testbed, "run", "--detach", "--name", "api", "--publish", "127.0.0.1:18081:80", secret, "--memory", "64m", "busybox", "/bin/httpd", "-f", "-p", "80");
  docker(testbed, "run", "--detach", "--name", "lonely", "--publish", "127.0.0.1:18082:8000", "busybox", "/bin/httpd", "-f", "-p", "127.0.0.1:8000");
  await enter(page, testbed);
  await openContainer(page, "api");
  await expect(page.getByText("Listens inside", { exact: true })).toBeVisible();
  await expect(page.getByText("Forwarded", { exact: true })).toBeVisible();
  await expect(page.getByText("Answers here", { exact: true })).toBeVisible();
  await expect(page.getByText("hunter2hunter2")).toHaveCount(0);
  await page.getByRole("button", { name: "Show secrets" }).click();
  await expect(page.getByText("hunter2hunter2")).toBeVisible();
  await axe(page, "Overview");

  await page.getByRole("button", { name: "Change", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Limits of api" });
  await dialog.getByRole("textbox", { name: "Memory" }).fill("128m");
  await dialog.getByRole("textbox", { name: "CPU, in cores" }).fill("1.5");
  await dialog.getByRole("combobox", { name: "Start it again when it ends" }).selectOption("When it fails");
  await dialog.getByRole("textbox", { name: "At most so many times" }).fill("3");
  await expect(dialog.getByRole("group", { name: "Equivalent command" })).toContainText("docker update --memory 128m");
  const started = docker(testbed, "inspect", "--format", "{{.State.StartedAt}}", "api");
  await dialog.getByRole("button", { name: "Set the limits" }).click();
  await expect(dialog).toHaveCount(0);
  const set = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}} {{.State.StartedAt}}";
  expect(docker(testbed, "inspect", "--format", set, "api")).toBe(`${128 << 20} ${15e8} on-failure 3 ${started}`);

  await page.getByRole("link", { name: /^Containers/ }).first().click();
  await page.getByRole("row", { name: "lonely" }).getByRole("link", { name: "lonely", exact: true }).click();
  await expect(page.getByText("Listens inside, but only to itself")).toBeVisible();
  await expect(page.getByText("No answer here")).toBeVisible();
  await expect(page.getByRole("heading", { name: /answers only inside its container$/ })).toBeVisible();
  clear(testbed);
});

test("inspect is searched, processes are ended, and actions say their command", async ({ page, testbed }) => {
  clear(testbed);
  const script = "/bin/sleep 4321 & exec /bin/sleep 1000";
  docker(testbed, "run", "--detach", "--name", "api", "--env", "DB_PASSWORD=hunter2", "busybox", "/bin/sh", "-c", script);
  await enter(page, testbed);
  await openContainer(page, "api");
  await page.getByRole("tab", { name: "Inspect" }).click();
  const tree = page.getByRole("tree");
  await expect(tree.getByRole("treeitem", { name: /"Name".*api/ }).first()).toBeVisible();
  await page.getByRole("searchbox").fill("MemorySwappiness");
  await expect(page.getByText("1 of 1")).toBeVisible();
  await expect(page.getByText("$.HostConfig.MemorySwappiness")).toBeVisible();
  await expect(page.getByRole("group", { name: "Equivalent command" })).toContainText(".HostConfig.MemorySwappiness");
  await axe(page, "Inspect");
  await page.getByRole("button", { name: "Raw", exact: true }).click();
  await expect(page.getByText("hunter2")).toHaveCount(0);

  await page.getByRole("tab", { name: "Stats" }).click();
  await expect(page.getByRole("region", { name: "Memory" })).toContainText(/[kM]B/);
  const row = page.getByRole("row", { name: /sleep 4321/ });
  await expect(row).toBeVisible();
  await axe(page, "Stats");
  await row.getByRole("button", { name: /More for process/ }).click();
  await page.getByRole("menuitem", { name: "Kill it (KILL)" }).click();
  await expect(row).toHaveCount(0);
  await page.getByRole("button", { name: "Show as table" }).click();
  await expect(page.getByRole("region", { name: "Samples" }).getByRole("row")).not.toHaveCount(1);

  const more = page.getByRole("banner").getByRole("button", { name: "More", exact: true }).or(page.getByRole("button", { name: "More", exact: true }));
  const choose = async (name: string) => {
    await more.first().click();
    await page.getByRole("menuitem", { name }).click();
  };
  await choose("Pause");
  await expect(page.getByText("Paused").first()).toBeVisible();
  await choose("Resume");
  await expect(page.getByText("Running").first()).toBeVisible();

  await choose("Make an image…");
  const commit = page.getByRole("dialog", { name: "Make an image of api" });
  await commit.getByRole("textbox", { name: "Image" }).fill("tried:out");
  await expect(commit.getByRole("group", { name: "Equivalent command" })).toContainText("docker commit api tried:out");
  await commit.getByRole("button", { name: "Make the image" }).click();
  await expect(commit).toHaveCount(0);
  expect(docker(testbed, "images", "--quiet", "tried:out")).not.toBe("");

  await choose("Rename…");
  const rename = page.getByRole("dialog", { name: "Rename api" });
  await rename.getByRole("textbox", { name: "Name" }).fill("web");
  await rename.getByRole("button", { name: "Rename" }).click();
  await expect(rename).toHaveCount(0);
  await expect(page.getByRole("heading", { name: "web", exact: true })).toBeVisible();

  const start = () => docker(testbed, "inspect", "--format", "{{.State.Running}} {{.State.StartedAt}}", "web");
  const before = start();
  await page.getByRole("button", { name: "Restart", exact: true }).click();
  await expect.poll(start, { timeout: 60_000 }).toMatch(new RegExp(`^true (?!${before.slice("true ".length)})`));
  // Its first program hears no TERM: only the time ends it.
  await choose("Stop with a time…");
  const stop = page.getByRole("dialog", { name: "Stop web with a time" });
  await stop.getByRole("textbox", { name: "Seconds" }).fill("1");
  await expect(stop.getByRole("group", { name: "Equivalent command" })).toContainText(/docker stop (-t|--time) 1 web/);
  await stop.getByRole("button", { name: "Stop", exact: true }).click();
  await expect.poll(start, { timeout: 60_000 }).toMatch(/^false /);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByText("Running").first()).toBeVisible();

  await choose("Kill…");
  const kill = page.getByRole("dialog", { name: "Kill web?" });
  await expect(kill.getByRole("group", { name: "Equivalent command" })).toContainText("docker kill -s KILL web");
  await kill.getByRole("button", { name: "Kill", exact: true }).click();
  await expect(page.getByText("Exited").first()).toBeVisible();
  docker(testbed, "rmi", "tried:out");
  await choose("Export its files");
  await expect(page.getByText(/^Saved as .*web.*\.tar$/)).toBeVisible();

  await page.keyboard.press("Control+h");
  for (const line of [
    "docker pause api",
    "docker unpause api",
    "docker commit api tried:out",
    "docker rename api web",
    "docker kill -s KILL web",
    "docker export -o web.tar web",
  ]) {
    await expect(page.getByText(line, { exact: true })).toBeVisible();
  }
  clear(testbed);
});

test("a container is made anew with its data, and comes back when the new one is no good", async ({ page, testbed }) => {
  clear(testbed);
  const serve = "mkdir -p /www; echo kept >/data/kept; echo gone >/www/gone; exec /bin/httpd -f -p 80 -h /www";
  docker(testbed, "run", "--detach", "--name", "api", "--publish", "127.0.0.1:18084:80", "--volume", "anew-data:/data", "--env", "API_TOKEN=hunter2hunter2", "--label", "a=b", "busybox", "/bin/sh", "-c", serve);
  const first = docker(testbed, "inspect", "--format", "{{.Id}}", "api");
  await enter(page, testbed);
  await openContainer(page, "api");
  const edit = async () => {
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByRole("menuitem", { name: "Edit and run again…" }).click();
    return page.getByRole("dialog", { name: "Edit api" });
  };
  const form = await edit();
  const changes = form.getByRole("region", { name: "What changes" });
  await expect(changes).toContainText("Nothing yet.");
  await expect(changes).toContainText("Volume anew-data at /data");
  await expect(changes).toContainText("/www/gone");
  await form.getByRole("textbox", { name: "Port on this computer" }).first().fill("18085");
  await expect(changes).toContainText("−Gone: -p 127.0.0.1:18084:80");
  await expect(changes).toContainText("+New: -p 127.0.0.1:18085:80");
  await expect(changes).not.toContainText("hunter2");
  await axe(page, "Edit and run again");
  await form.getByRole("button", { name: "Run again" }).click();
  await expect(form).toHaveCount(0);
  await expect(page.getByRole("heading", { name: "api" })).toBeVisible();
  const second = docker(testbed, "inspect", "--format", "{{.Id}} {{.State.Running}} {{.HostConfig.PortBindings}} {{.Config.Labels}} {{.Config.Env}}", "api");
  expect(second).not.toContain(first);
  expect(second).toMatch(/true .*HostPort:18085\]\]\] map\[a:b\] .*API_TOKEN=hunter2hunter2/);
  expect(docker(testbed, "exec", "api", "/bin/cat", "/data/kept")).toBe("kept");
  expect(docker(testbed, "ps", "--all", "--filter", "status=running", "--format", "{{.Names}}")).toBe("api");

  // One that ends at once, then one that never gets healthy: the one before comes back, with what it has written.
  docker(testbed, "exec", "api", "/bin/sh", "-c", "echo mine >/www/mine");
  const comesBack = async (change: (form: Locator) => Promise<void>, why: RegExp) => {
    const form = await edit();
    await change(form);
    await form.getByRole("button", { name: "Run again" }).click();
    const told = form.getByRole("alert");
    await expect(told).toContainText(why);
    await expect(told).toContainText("The old api runs again as it was.");
    expect(docker(testbed, "exec", "api", "/bin/cat", "/www/mine")).toBe("mine");
    expect(docker(testbed, "ps", "--filter", "status=running", "--format", "{{.Names}}")).toBe("api");
    await form.getByRole("button", { name: "Cancel" }).click();
  };
  await comesBack((form) => form.getByRole("textbox", { name: "Command", exact: true }).fill("/bin/sh -c 'echo no such thing; exit 3'"), /ended with code 3/);
  docker(testbed, "update", "--restart", "unless-stopped", "api");
  await comesBack(async (form) => {
    await form.getByRole("textbox", { name: "Command", exact: true }).fill("/bin/nothing");
  }, /nothing/);

  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Duplicate…" }).click();
  const copy = page.getByRole("dialog", { name: "Run busybox" });
  await expect(copy.getByText(/18085 is used by/)).toBeVisible();
  await copy.getByRole("textbox", { name: "Port on this computer" }).first().fill("18086");
  await copy.getByRole("textbox", { name: "Name" }).first().fill("api-copy");
  await copy.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { name: "api-copy" })).toBeVisible();
  expect(docker(testbed, "exec", "api-copy", "/bin/cat", "/data/kept")).toBe("kept");
  await page.keyboard.press("Control+h");
  await expect(page.getByText(/^docker rename api api\.before-/).first()).toBeVisible();
  clear(testbed);
});

test("one that does not become healthy gives way to the one before", async ({ page, testbed }) => {
  clear(testbed);
  const check = ["--health-cmd", "test -e /healthy", "--health-interval", "1s", "--health-timeout", "2s", "--health-retries", "2"];
  docker(testbed, "run", "--detach", "--name", "api", ...check, "busybox", "/bin/sh", "-c", "touch /healthy; exec /bin/sleep 1000");
  await enter(page, testbed);
  await openContainer(page, "api");
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Edit and run again…" }).click();
  const form = page.getByRole("dialog", { name: "Edit api" });
  const command = form.getByRole("textbox", { name: "Command", exact: true });
  await command.fill("/bin/sleep 1000");
  await form.getByRole("button", { name: "Run again" }).click();
  await expect(form.getByRole("alert")).toContainText("is not healthy");
  expect(docker(testbed, "ps", "--all", "--format", "{{.Names}} {{.Command}}", "--no-trunc")).toMatch(/^api "\/bin\/sh -c 'touch/);
  await command.fill("/bin/sh -c 'touch /healthy; exec /bin/sleep 2000'");
  await form.getByRole("button", { name: "Run again" }).click();
  await expect(form).toHaveCount(0);
  expect(docker(testbed, "inspect", "--format", "{{.State.Health.Status}} {{.Args}}", "api")).toMatch(/^healthy .*sleep 2000/);
  clear(testbed);
});

test("a limit below what is used and a container that is gone are told in words", async ({ page, testbed }) => {
  clear(testbed);
  const fill = "head -c 30000000 /dev/zero >/t/x; exec sleep 1000";
  docker(testbed, "run", "--detach", "--name", "big", "--tmpfs", "/t", "busybox", "/bin/sh", "-c", fill);
  await enter(page, testbed);
  await openContainer(page, "big");
  await expect.poll(() => docker(testbed, "exec", "big", "/bin/busybox", "stat", "-c", "%s", "/t/x")).toBe("30000000");
  const more = async (item: string) => {
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByRole("menuitem", { name: item }).click();
  };
  await more("Change limits…");
  const limits = page.getByRole("dialog", { name: "Limits of big" });
  await limits.getByRole("textbox", { name: "Memory" }).fill("8m");
  await limits.getByRole("button", { name: "Set the limits" }).click();
  await expect(limits.getByRole("alert")).toContainText(/It uses [\d.]+ MB now, more than it was to have/);
  await limits.getByRole("textbox", { name: "Memory" }).fill("200m");
  await limits.getByRole("button", { name: "Set the limits" }).click();
  await expect(limits).toHaveCount(0);
  expect(docker(testbed, "inspect", "--format", "{{.HostConfig.Memory}}", "big")).toBe(String(200 << 20));

  await more("Edit and run again…");
  const edit = page.getByRole("dialog", { name: "Edit big" });
  await edit.getByRole("textbox", { name: "Name" }).fill("bigger");
  docker(testbed, "rm", "--force", "big");
  await edit.getByRole("button", { name: "Run again" }).click();
  await expect(edit.getByRole("alert")).toContainText("The container to be replaced was deleted meanwhile");
});

test("one with --rm is edited, and made again when the new one is no good", async ({ page, testbed }) => {
  clear(testbed);
  const serves = "trap 'exit 0' TERM; while :; do sleep 0.2; done";
  docker(testbed, "run", "--detach", "--rm", "--name", "brief", "--env", "KEPT=yes", "busybox", "/bin/sh", "-c", serves);
  await enter(page, testbed);
  await openContainer(page, "brief");
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Edit and run again…" }).click();
  const form = page.getByRole("dialog", { name: "Edit brief" });
  await expect(form.getByRole("region", { name: "What changes" })).toContainText("brief is removed as soon as it stops (--rm)");
  const command = form.getByRole("textbox", { name: "Command", exact: true });
  await command.fill("/bin/sh -c 'exit 3'");
  await form.getByRole("button", { name: "Run again" }).click();
  await expect(form.getByRole("alert")).toContainText("The new brief ended with code 3 and was removed");
  await expect(form.getByRole("alert")).toContainText("brief was made again as it was, and runs.");
  const said = () => docker(testbed, "ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.State}} {{.Command}}");
  expect(said()).toMatch(/^brief running .*trap[^\n]*$/);
  await form.getByRole("button", { name: "Cancel" }).click();

  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Edit and run again…" }).click();
  await command.fill("/bin/sleep 1000");
  await form.getByRole("button", { name: "Run again" }).click();
  await expect(form).toHaveCount(0);
  expect(said()).toBe('brief running "/bin/sleep 1000"');
  expect(docker(testbed, "inspect", "--format", "{{.HostConfig.AutoRemove}} {{.Config.Env}}", "brief")).toMatch(/^true .*KEPT=yes/);
  clear(testbed);
});
