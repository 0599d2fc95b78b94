// The list with very many, with names that mean harm, and with what every tutorial does to containers and images.

import { request } from "node:http";

import { clear, docker, enter, expect, test, type Page, type Testbed } from "./testbed";

const MANY = 2000;

/** Asks the engine itself, which is quicker than the docker command two thousand times. */
function create(testbed: Testbed, name: string, labels: Record<string, string>): Promise<void> {
  const socketPath = testbed.docker.replace(/^unix:\/\//, "");
  const body = JSON.stringify({ Image: "busybox", Cmd: ["/bin/true"], Labels: labels, NetworkDisabled: true });
  const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const path = `/containers/create?name=${encodeURIComponent(name)}`;
    const asked = request({ socketPath, path, method: "POST", headers }, (answer) => {
      answer.resume();
      answer.once("end", () => (answer.statusCode === 201 ? resolve() : reject(new Error(`${answer.statusCode}`))));
    });
    asked.once("error", reject);
    asked.end(body);
  });
}

async function openList(page: Page): Promise<void> {
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: /^Containers/ }).click();
}

test("two thousand containers are a list like any other", async ({ page, testbed }) => {
  test.setTimeout(480_000);
  clear(testbed);
  const names = Array.from({ length: MANY }, (_, nth) => `many-${String(nth).padStart(4, "0")}`);
  const waiting = [...names];
  const work = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) {
      const nth = names.indexOf(name);
      await create(testbed, name, nth % 4 === 0 ? { "com.docker.compose.project": `project-${nth % 40}` } : {});
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  await enter(page, testbed);
  await openList(page);
  await expect(page.getByText(`0 of ${MANY} running`)).toBeVisible({ timeout: 60_000 });
  const grid = page.getByRole("grid", { name: "Containers" });
  expect(await grid.getByRole("row").count(), "only those in view are drawn").toBeLessThan(60);

  // Selection and place stay while the list changes under them.
  await page.getByRole("button", { name: "Flat" }).click();
  await page.getByRole("button", { name: "Name and image" }).click();
  await grid.getByRole("row", { name: /many-0000/ }).focus();
  await page.keyboard.press("End");
  const last = grid.getByRole("row", { name: /many-1999/ });
  await expect(last).toBeFocused();
  await page.keyboard.press("Space");
  const place = await grid.evaluate((element) => element.scrollTop);
  expect(place).toBeGreaterThan(10_000);
  await create(testbed, "many-one-more", {});
  await expect(page.getByText(`0 of ${MANY + 1} running`)).toBeVisible({ timeout: 60_000 });
  expect(await grid.evaluate((element) => element.scrollTop)).toBe(place);
  await expect(last).toBeFocused();
  await expect(page.getByRole("toolbar", { name: "1 selected" })).toBeVisible();

  await page.getByRole("searchbox").fill("many-1234");
  await expect(grid.getByRole("row")).toHaveCount(2);
  const ids = docker(testbed, "ps", "--all", "--quiet").split("\n");
  for (let from = 0; from < ids.length; from += 200) docker(testbed, "rm", "--force", ...ids.slice(from, from + 200));
});

test("names and labels that mean harm are words", async ({ page, testbed }) => {
  clear(testbed);
  const label = `<img src=x onerror="document.title='owned'"> \u202Egnp.exe \u001b[31m ${"long".repeat(250)}`;
  await create(testbed, "n".repeat(1000), { harm: label, "com.docker.compose.project": `<b>${label}</b>` });
  await page.setViewportSize({ width: 800, height: 560 });
  await enter(page, testbed);
  await openList(page);
  const row = page.getByRole("row", { name: /nnnn/ });
  await expect(row).toContainText("Created");
  await expect(page.getByRole("gridcell").filter({ hasText: "<b><img src=x" })).toBeVisible();
  await expect(page.getByRole("main").locator("img")).toHaveCount(0);
  await page.getByLabel("Network or label").selectOption({ index: 1 });
  await expect(row).toBeVisible();
  expect(await page.title()).toBe("Containers · Wherry");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(wide, "nothing is pushed out of the window").toBeLessThanOrEqual(0);
  await row.focus();
  await page.keyboard.press("Delete");
  const ask = page.getByRole("alertdialog");
  const box = await ask.boundingBox();
  expect(box?.width).toBeLessThanOrEqual(800);
  await ask.getByRole("checkbox", { name: "Delete now, without the trash" }).check();
  await ask.getByRole("button", { name: /^Delete n/ }).click();
  await expect(page.getByRole("heading", { name: "No cargo yet" })).toBeVisible();
  expect(docker(testbed, "ps", "--all", "--quiet")).toBe("");
});

test("docker ps, ps -a, stop, start, restart, pause, kill and rm, by clicking", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--detach", "--init", "--name", "web", "busybox", "/bin/sleep", "1000");
  docker(testbed, "run", "--name", "done", "busybox", "/bin/true");
  await enter(page, testbed);
  await openList(page);
  const web = page.getByRole("row", { name: /web/ });
  const done = page.getByRole("row", { name: /done/ });
  const show = page.getByRole("group", { name: "Show" });
  await expect(web).toContainText("%", { timeout: 30_000 });
  await show.getByRole("button", { name: /^Running/ }).click();
  await expect(done).toHaveCount(0);
  await show.getByRole("button", { name: /^All/ }).click();
  await expect(done).toContainText("Exited 0");

  await web.focus();
  await page.keyboard.press("s");
  await expect(web).toContainText("Exited");
  await page.keyboard.press("s");
  await expect(web).toContainText("Running");
  const started = docker(testbed, "inspect", "--format", "{{.State.StartedAt}}", "web");
  await page.keyboard.press("r");
  await expect.poll(() => docker(testbed, "inspect", "--format", "{{.State.StartedAt}}", "web")).not.toBe(started);

  await page.keyboard.press("t");
  await expect(page.getByRole("tab", { name: "Terminal" })).toHaveAttribute("aria-selected", "true");
  await openList(page);
  await web.click({ button: "right" });
  await page.getByRole("menuitem", { name: "Rename…" }).click();
  const rename = page.getByRole("dialog", { name: "Rename web" });
  await rename.getByRole("textbox", { name: "Name" }).fill("shop");
  await rename.getByRole("button", { name: "Rename" }).click();
  await expect(page.getByRole("row", { name: /shop/ })).toBeVisible();
  docker(testbed, "rename", "shop", "web");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await web.focus();
  await page.keyboard.press("Control+c");
  await expect(page.getByText("Copied the docker run line of web")).toBeVisible();
  const line = await page.evaluate(() => navigator.clipboard.readText());
  expect(line).toBe("docker run -d --name web --init busybox /bin/sleep 1000");

  await web.getByRole("checkbox").check();
  const bulk = page.getByRole("toolbar", { name: "1 selected" });
  await bulk.getByRole("button", { name: "Stop" }).hover();
  await expect(bulk.getByRole("group", { name: "Equivalent command" })).toHaveText(/docker stop web/);
  await web.click({ button: "right" });
  const menu = page.getByRole("menu", { name: "More" });
  await menu.getByRole("menuitem", { name: "Kill" }).hover();
  await expect(menu.getByRole("menuitem", { name: "Kill" })).toHaveAccessibleDescription("docker kill web");
  await page.keyboard.press("Escape");
  const more = async (action: string) => {
    await bulk.getByRole("button", { name: "More for all selected" }).click();
    await page.getByRole("menuitem", { name: action, exact: true }).click();
  };
  await more("Pause");
  await expect(web).toContainText("Paused");
  await more("Resume");
  await expect(web).toContainText("Running");
  await more("Kill");
  await expect(web).toContainText("Exited 137");
  await bulk.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete web" }).click();
  await expect(web).toHaveCount(0);
  expect(docker(testbed, "ps", "--format", "{{.Names}}")).toBe("");

  // docker container prune
  await page.getByRole("button", { name: "Remove stopped…" }).click();
  const prune = page.getByRole("dialog", { name: "Remove stopped containers" });
  await expect(prune.getByRole("checkbox", { name: "done" })).toBeChecked();
  await expect(prune).toContainText("docker rm done");
  await prune.getByRole("button", { name: /^Reclaim/ }).click();
  await expect(prune).toHaveCount(0);
  expect(docker(testbed, "ps", "--all", "--format", "{{.Names}}")).toMatch(/^wherry-trash\.\S+\.web$/);

  // One that never started goes with them.
  docker(testbed, "create", "--name", "unborn", "busybox", "/bin/true");
  await page.getByRole("button", { name: "Remove stopped…" }).click();
  await expect(prune.getByRole("checkbox", { name: "unborn" })).toBeChecked();
  await page.keyboard.press("Escape");
  clear(testbed);
});

test("docker image prune and docker system prune, by clicking", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "tag", "busybox", "spare:1");
  docker(testbed, "create", "--name", "keeps", "busybox", "/bin/true");
  const commit = docker(testbed, "commit", "keeps");
  docker(testbed, "volume", "create", "precious");
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: /^Remove unused/ }).click();
  const remove = page.getByRole("alertdialog");
  await expect(remove.getByRole("list", { name: "What goes" }).getByRole("listitem")).toHaveCount(1);
  await remove.getByRole("checkbox", { name: "Delete now, without the trash" }).check();
  await remove.getByRole("button", { name: /^Remove/ }).click();
  await expect(remove).toHaveCount(0);
  expect(docker(testbed, "images", "--all", "--quiet", "--no-trunc")).not.toContain(commit);

  await page.getByRole("link", { name: "Home", exact: true }).click();
  await page.getByRole("button", { name: "Reclaim…" }).click();
  const reclaim = page.getByRole("dialog", { name: "Reclaim disk space" });
  await reclaim.getByRole("region", { name: "Stopped containers" }).getByRole("checkbox").first().check();
  await expect(reclaim.getByRole("checkbox", { name: "precious" })).not.toBeChecked();
  await reclaim.getByRole("button", { name: /^Reclaim/ }).click();
  await expect(reclaim).toHaveCount(0);
  expect(docker(testbed, "ps", "--all", "--quiet")).toBe("");
  expect(docker(testbed, "volume", "ls", "--quiet")).toContain("precious");
  docker(testbed, "volume", "rm", "precious");
  docker(testbed, "rmi", "spare:1");
});
