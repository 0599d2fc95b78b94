// Home: what containers use, what happened, what can be reclaimed, quick starts.

import { ask, clear, docker, enter, expect, test } from "./testbed";

test("what runs is measured, told and found", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--detach", "--name", "busy", "--label", "com.docker.compose.project=shop", "busybox", "/bin/sh", "-c", "while true; do true; done");
  await enter(page, testbed);

  const charts = page.getByRole("region", { name: "What containers use" });
  await expect(charts.getByRole("slider", { name: "Read CPU" })).toBeAttached();
  await expect(charts.getByRole("img", { name: /^Memory: memory at most/ })).toBeVisible();
  // The keyboard reads a moment of the line.
  await charts.getByRole("slider", { name: "Read CPU" }).focus();
  await expect(charts.getByText(/% at \d/).first()).toBeVisible();
  await page.getByRole("button", { name: "Show as table" }).click();
  await expect(charts.getByRole("columnheader", { name: "Memory" })).toBeVisible();
  await expect(charts.getByRole("row").nth(1)).toContainText("%");
  await page.getByRole("button", { name: "Show as table" }).click();

  const most = page.getByRole("region", { name: "Who uses most" });
  await expect(most.getByRole("row", { name: /busy/ })).toContainText("%");
  await most.getByRole("button", { name: "Projects" }).click();
  await expect(most.getByRole("rowheader", { name: "shop" })).toBeVisible();

  const told = page.getByRole("region", { name: "Recent activity" });
  await expect(told.getByText("busy started")).toBeVisible();
  docker(testbed, "pause", "busy");
  await expect(told.getByText("busy was paused")).toBeVisible();
  docker(testbed, "unpause", "busy");
  clear(testbed);
  await expect(told.getByText("busy was removed")).toBeVisible();
});

test("the last hour has what happened while no window was open", async ({ page, context, request, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--detach", "--name", "busy", "busybox", "/bin/sh", "-c", "while true; do true; done");
  await enter(page, testbed);
  const charts = page.getByRole("region", { name: "What containers use" });
  await expect(charts.getByRole("slider", { name: "Read CPU" })).toBeAttached();
  const kept = async () => ((await ask(request, testbed, "engine.history")) as { total: { at: number; cpu: number }[] }).total;
  await expect.poll(async () => (await kept()).length).toBeGreaterThan(0);
  await page.close();
  const closed = Date.now();
  await expect.poll(async () => (await kept()).filter(({ at }) => at > closed).length).toBeGreaterThan(0);

  const again = await context.newPage();
  await enter(again, testbed);
  await again.getByRole("button", { name: "Show as table" }).click();
  const rows = again.getByRole("region", { name: "What containers use" }).getByRole("row");
  await expect(rows.nth(2)).toContainText("%");
  clear(testbed);
});

test("exactly what is ticked is reclaimed, and never a volume by itself", async ({ page, request, testbed }) => {
  clear(testbed);
  docker(testbed, "import", testbed.busybox, "unused-one:1");
  docker(testbed, "tag", "unused-one:1", "unused-one:2");
  docker(testbed, "import", testbed.busybox, "unused-two:1");
  docker(testbed, "volume", "create", "spare");
  await enter(page, testbed);

  // One image and the volume are used for a while.
  docker(testbed, "run", "--detach", "--name", "user", "--volume", "spare:/data", "unused-one:1", "/bin/sleep", "600");
  const images = async () => (await ask(request, testbed, "image.list")) as { references: string[]; lastUse: number | null }[];
  await expect
    .poll(async () => (await images()).find(({ references }) => references.includes("unused-one:1"))?.lastUse)
    .toEqual(expect.any(Number));
  docker(testbed, "rm", "--force", "user");

  await page.getByRole("button", { name: "Reclaim…" }).click();
  const dialog = page.getByRole("dialog", { name: "Reclaim disk space" });
  const volume = dialog.getByRole("region", { name: "Volumes that no container has" }).getByRole("checkbox", { name: "spare" });
  await expect(volume).not.toBeChecked();
  await expect(dialog.getByRole("listitem").filter({ hasText: "spare" })).toContainText(/used .* ago/);
  const unused = dialog.getByRole("region", { name: "Unused images" });
  await expect(unused.getByRole("listitem").filter({ hasText: "unused-one" })).toContainText(/used .* ago/);
  await expect(unused.getByRole("listitem").filter({ hasText: "unused-two" })).toContainText(/made .* ago/);
  await expect(unused.getByRole("checkbox", { name: /unused-one/ })).toBeChecked();
  await unused.getByRole("checkbox", { name: /^Unused images/ }).uncheck();
  await unused.getByRole("checkbox", { name: /unused-one/ }).check();
  await expect(dialog.getByRole("group", { name: "Command" })).toContainText(/docker rmi unused-one:[12] unused-one:[12]/);
  await expect(dialog.getByRole("group", { name: "Command" })).not.toContainText("unused-two");
  await dialog.getByRole("button", { name: /^Reclaim/ }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByText(/came back/)).toBeVisible();

  const left = docker(testbed, "images", "--format", "{{.Repository}}");
  expect(left).not.toContain("unused-one");
  expect(left).toContain("unused-two");
  expect(docker(testbed, "volume", "ls", "--quiet")).toContain("spare");
  docker(testbed, "rmi", "unused-two:1");
  docker(testbed, "volume", "rm", "spare");
});

test("each quick start opens the form with what its image needs", async ({ page, testbed }) => {
  clear(testbed);
  await enter(page, testbed);
  const starts = page.getByRole("region", { name: "Quick starts" });
  for (const [title, image, ...parts] of [
    ["Postgres", "postgres:17", "--name postgres", "-p 5432:5432", "-v postgres-data:/var/lib/postgresql/data", "-e POSTGRES_PASSWORD"],
    ["Redis", "redis:8", "--name redis", "-p 6379:6379", "-v redis-data:/data"],
    ["nginx", "nginx", "--name nginx", "-p 8080:80"],
    ["Jupyter", "quay.io/jupyter/scipy-notebook", "-p 8888:8888", "-v jupyter-data:/home/jovyan/work", "-e JUPYTER_TOKEN"],
    ["FastAPI", "tiangolo/uvicorn-gunicorn-fastapi:python3.11", "--name fastapi", "-p 8000:80"],
  ] as const) {
    await starts.getByRole("button", { name: new RegExp(title) }).click();
    const run = page.getByRole("dialog", { name: /^Run / });
    await expect(run.getByRole("textbox", { name: "Image" })).toHaveValue(image);
    const command = run.getByRole("group", { name: "Equivalent command" });
    for (const part of parts) await expect(command, title).toContainText(part);
    await expect(run.getByRole("group", { name: "Port 1" }), `${title}: its port is looked at`).toContainText(/is free|is used/);
    await run.getByRole("button", { name: "Cancel" }).click();
    await expect(run).toHaveCount(0);
  }

  // The one whose image the tests have is run, and answers.
  docker(testbed, "pull", "--quiet", "nginx:latest");
  await starts.getByRole("button", { name: /nginx/ }).click();
  const run = page.getByRole("dialog", { name: /^Run / });
  const port = run.getByRole("group", { name: "Port 1" });
  await expect(port).toContainText(/is free|is used/);
  const other = port.getByRole("button", { name: /^Use \d+/ });
  if (await other.isVisible()) await other.click();
  await run.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { name: "nginx" })).toBeVisible();
  const opened = page.waitForEvent("popup");
  await page.getByRole("button", { name: /^Open localhost/ }).click();
  await expect((await opened).getByText(/nginx/i).first()).toBeVisible();
  clear(testbed);
  docker(testbed, "rmi", "nginx:latest");
});
