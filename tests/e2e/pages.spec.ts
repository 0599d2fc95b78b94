// Every page, tab and dialog: nothing that a person with a screen reader or a keyboard would trip over in either theme,
// and nothing that the smallest window cannot hold.

import { writeFileSync } from "node:fs";

import { axe, clear, docker, enter, expect, test, type Page } from "./testbed";

const LARGE = { width: 1200, height: 780 };
const SMALLEST = { width: 800, height: 560 };

async function check(page: Page, where: string): Promise<void> {
  await axe(page, where);
  await fits(page, where);
}

async function fits(page: Page, where: string): Promise<void> {
  await page.setViewportSize(SMALLEST);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(wide, `${where}: nothing is pushed out of the smallest window`).toBeLessThanOrEqual(0);
  await page.setViewportSize(LARGE);
}

/** By its address, as a reload or a link from elsewhere opens it. */
async function at(page: Page, ...parts: string[]): Promise<void> {
  await page.evaluate((hash) => (location.hash = hash), `#/${parts.map(encodeURIComponent).join("/")}`);
}

async function leave(page: Page): Promise<void> {
  await page.keyboard.press("Escape");
  await expect(page.locator("dialog[open]")).toHaveCount(0);
}

test("home, its dialogs and what was clicked", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--detach", "--name", "web", "busybox", "/bin/sleep", "1000");
  docker(testbed, "create", "--name", "resting", "busybox", "/bin/true");
  await enter(page, testbed);
  await expect(page.getByRole("heading", { name: "Home" })).toBeVisible();
  await expect(page.getByRole("region", { name: "Who uses most" }).getByRole("row", { name: /web/ })).toBeVisible();
  await check(page, "Home");
  await page.getByRole("button", { name: "Show as table" }).click();
  await check(page, "Home with a table");
  await page.getByRole("button", { name: "Reclaim…" }).click();
  const reclaim = page.getByRole("dialog", { name: "Reclaim disk space" });
  await reclaim.getByRole("checkbox", { name: "resting" }).check();
  await check(page, "Reclaim dialog");
  await leave(page);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
  await check(page, "Shortcuts");
  await leave(page);
  await at(page, "clicked");
  await expect(page.getByRole("heading", { name: "What I clicked" })).toBeVisible();
  await check(page, "What I clicked");
  await at(page, "trash");
  await expect(page.getByRole("heading", { name: "Trash", exact: true })).toBeVisible();
  await check(page, "Trash");
  writeFileSync(`${testbed.home}/odd.env`, 'A="1"\nexport B=2\nTOKEN=abc\r\n');
  await at(page, "env", `${testbed.home}/odd.env`);
  await expect(page.getByText("docker run refuses this file.")).toBeVisible();
  await check(page, "A file of variables");
  clear(testbed);
});

test("containers, their tabs and their dialogs", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "import", "--change", "ENV MODE=quiet", testbed.busybox, "with-mode:1");
  docker(testbed, "run", "--detach", "--name", "web", "--publish", "18080:80", "--memory", "64m", "with-mode:1", "/bin/httpd", "-f");
  docker(testbed, "run", "--name", "done", "busybox", "/bin/true");
  await enter(page, testbed);
  await at(page, "containers");
  await expect(page.getByRole("row", { name: /done/ })).toContainText("Finished normally");
  await page.getByRole("checkbox", { name: "Select web" }).check();
  await expect(page.getByRole("toolbar", { name: "1 selected" })).toBeVisible();
  await check(page, "Containers with a selection");
  await page.getByRole("button", { name: "Columns" }).click();
  await check(page, "Columns");
  await page.keyboard.press("Escape");
  await page.getByRole("searchbox").fill("nothing is called so");
  await expect(page.getByText(/^No container matches/)).toBeVisible();
  await check(page, "No container found");

  // How these are for those who do not see them is in container.spec.ts, logs.spec.ts and why.spec.ts.
  for (const [tab, sign] of [
    ["overview", /Network and start/],
    ["logs", /Nothing printed yet/],
    ["files", /items/],
    ["inspect", /Get just this value/],
    ["stats", /most processor time first/],
  ] as const) {
    await at(page, "containers", "web", tab);
    await expect(page.getByText(sign).first()).toBeVisible();
    await fits(page, `${tab} of web`);
  }
  for (const [name, tab, sign] of [
    ["done", "overview", /done has finished/],
    ["done", "terminal", /is not running/],
    ["done", "stats", /is not running/],
  ] as const) {
    await at(page, "containers", name, tab);
    await expect(page.getByText(sign).first()).toBeVisible();
    await check(page, `${tab} of ${name}`);
  }
  await at(page, "containers", "gone");
  await expect(page.getByRole("heading", { name: "This container is gone" })).toBeVisible();
  await check(page, "A container that is gone");

  await at(page, "containers", "web");
  await expect(page.getByRole("heading", { name: "web" })).toBeVisible();
  for (const item of ["Stop with a time…", "Kill…", "Rename…", "Change limits…", "Make an image…", "Delete…"]) {
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByRole("menuitem", { name: item }).click();
    await expect(page.locator("dialog[open]")).toBeVisible();
    await check(page, item);
    await leave(page);
  }
  await page.getByRole("button", { name: "More", exact: true }).click();
  await check(page, "Menu of a container");
  await page.getByRole("menuitem", { name: "Duplicate…" }).click();
  const run = page.getByRole("dialog", { name: /^Run / });
  await expect(run.getByText(/is used by/).first()).toBeVisible();
  await expect(run.getByText("1 variable set by the image")).toBeVisible();
  for (const fold of await run.locator("summary").all()) await fold.click();
  await check(page, "Run form, unfolded");
  await run.getByRole("button", { name: "Paste a line" }).click();
  await page.getByRole("textbox", { name: "Paste a docker run line" }).fill("docker run --sails=3 busybox");
  await expect(page.getByText(/Docker has no such flag/)).toBeVisible();
  await check(page, "A pasted line");
  await leave(page);
  await page.keyboard.press("Control+n");
  await expect(page.getByRole("dialog", { name: "Run an image" })).toBeVisible();
  await check(page, "Run form without an image");
  await leave(page);
  clear(testbed);
  docker(testbed, "rmi", "with-mode:1");
});

test("images, registries and their dialogs", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "tag", "busybox", "looked:at");
  await enter(page, testbed);
  await at(page, "images");
  await page.getByRole("checkbox", { name: "Select looked:at" }).check();
  await check(page, "Images with a selection");
  const bulk = page.getByRole("toolbar", { name: "1 selected" });
  await bulk.getByRole("button", { name: "Save…" }).click();
  await expect(page.getByRole("dialog", { name: /to a file/ })).toBeVisible();
  await check(page, "Save dialog");
  await leave(page);
  await bulk.getByRole("button", { name: "Remove…" }).click();
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await check(page, "Remove dialog");
  await leave(page);
  await page.getByRole("button", { name: "Load a file" }).click();
  await expect(page.getByRole("dialog", { name: "Load images from a file" })).toBeVisible();
  await check(page, "Load dialog");
  await leave(page);

  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  await check(page, "Pull dialog");
  await pull.getByRole("textbox", { name: "Image" }).fill("pyth");
  await expect(pull.getByRole("list", { name: "Images on Docker Hub" })).toBeVisible();
  await check(page, "Found images");
  await pull.getByRole("textbox", { name: "Image" }).fill("python:3.13-slim");
  await expect(pull.getByText("Made for this engine")).toBeVisible();
  await check(page, "Before a pull");
  await pull.getByRole("textbox", { name: "Image" }).fill(`${testbed.private}/ada/secret:1`);
  await expect(pull.getByText(/asks who you are/).first()).toBeVisible();
  await check(page, "A pull that may not be");
  await leave(page);

  await at(page, "images", "looked:at");
  await expect(page.getByRole("list", { name: "Steps" })).toBeVisible();
  await check(page, "Image");
  for (const button of ["Tag", "Push"]) {
    await page.getByRole("button", { name: button, exact: true }).click();
    await expect(page.locator("dialog[open]")).toBeVisible();
    await check(page, `${button} dialog`);
    await leave(page);
  }
  await at(page, "images", "never:pulled");
  await expect(page.getByRole("heading", { name: "This image is not on this engine" })).toBeVisible();
  await check(page, "An image that is not here");

  await at(page, "registries");
  await expect(page.getByRole("listitem", { name: "Docker Hub" })).toBeVisible();
  await check(page, "Registries");
  await page.getByRole("button", { name: "Sign in to a registry" }).click();
  const sign = page.getByRole("dialog", { name: /^Sign in/ });
  await check(page, "Sign-in");
  const kinds = sign.getByRole("group", { name: "Kind of registry" }).getByRole("button");
  await expect(kinds).toHaveCount(8);
  for (const kind of await kinds.all()) {
    await kind.click();
    await fits(page, `Sign-in, ${await kind.textContent()}`);
  }
  await check(page, "Sign-in at another one");
  await leave(page);
  docker(testbed, "rmi", "looked:at");
});

test("settings, every section, and the doctor", async ({ page, testbed }) => {
  await enter(page, testbed);
  await page.getByRole("link", { name: "Settings" }).click();
  const sections = page.getByRole("navigation", { name: "Sections" }).getByRole("link");
  await expect(sections).toHaveCount(6);
  for (const section of await sections.all()) {
    await section.click();
    await expect(section).toHaveAttribute("aria-current", "true");
    await check(page, `Settings, ${await section.textContent()}`);
  }
  await page.getByRole("button", { name: "Open the doctor" }).click();
  await expect(page.getByRole("heading", { name: /checks pass/ })).toBeVisible({ timeout: 60_000 });
  await check(page, "Doctor");
});

test("the token is needed", async ({ request, testbed }) => {
  const { origin } = new URL(testbed.address);
  const answer = await request.post(`${origin}/api/call/container.list`, { data: { all: true } });
  expect(answer.status()).toBe(401);
});
