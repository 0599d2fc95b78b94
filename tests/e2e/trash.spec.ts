// What is removed by accident comes back: each kind, at once and from the trash's page.

import { axe, clear, docker, enter, expect, test } from "./testbed";

test("a container that is deleted comes back as it was", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--detach", "--name", "web", "--restart", "unless-stopped", "busybox", "/bin/sleep", "1000");
  docker(testbed, "exec", "web", "/bin/sh", "-c", "echo kept >/note");
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  const row = page.getByRole("row", { name: /web/ });
  await row.focus();
  await page.keyboard.press("Delete");
  const ask = page.getByRole("alertdialog", { name: "Delete web?" });
  await expect(ask).toContainText("in the trash for 7 days");
  await ask.getByRole("button", { name: "Delete web" }).click();
  const told = page.getByRole("status").filter({ hasText: "web is deleted, into the trash" });
  await expect(told).toBeVisible();
  expect(docker(testbed, "ps", "--all", "--format", "{{.Names}}")).toMatch(/^wherry-trash\.\d+\.running_unless-stopped_0\.web$/);
  await page.keyboard.press("Control+z");
  await expect(page.getByText("web is back", { exact: true }).first()).toBeVisible();
  await expect(row).toContainText("Running");
  expect(docker(testbed, "exec", "web", "cat", "/note")).toBe("kept");
  expect(docker(testbed, "inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", "web")).toBe("unless-stopped");
  clear(testbed);
});

test("the trash holds all kinds until they come back or go for good", async ({ page, testbed }) => {
  clear(testbed);
  // Other tests may have left some.
  const volumes = docker(testbed, "volume", "ls", "--quiet").split("\n").filter(Boolean);
  if (volumes.length > 0) docker(testbed, "volume", "rm", ...volumes);
  const images = docker(testbed, "images", "--format", "{{.Repository}}:{{.Tag}}").split("\n");
  const thrown = images.filter((name) => name.includes(":wherry-trash."));
  if (thrown.length > 0) docker(testbed, "rmi", ...thrown);
  docker(testbed, "create", "--name", "scratch", "busybox", "/bin/true");
  docker(testbed, "tag", "busybox", "spare:1");
  docker(testbed, "volume", "create", "spare-data");
  await enter(page, testbed);

  // An image, with Undo at once.
  await page.getByRole("link", { name: /^Images/ }).click();
  const image = page.getByRole("row", { name: /spare/ });
  for (const _ of ["undone", "for the trash"]) {
    await image.hover();
    await image.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("alertdialog", { name: "Remove spare:1?" }).getByRole("button", { name: "Remove the name" }).click();
    await expect(image).toHaveCount(0);
    if (_ === "for the trash") break;
    await page.getByRole("status").filter({ hasText: "spare:1 is removed" }).getByRole("button", { name: "Undo" }).click();
    await expect(image).toBeVisible();
  }

  // A volume and a container, from the list of what nobody uses: a volume is never ticked by itself.
  await page.getByRole("link", { name: "Home", exact: true }).click();
  await page.getByRole("button", { name: "Reclaim…" }).click();
  const reclaim = page.getByRole("dialog", { name: "Reclaim disk space" });
  for (const kind of ["Trash", "Unused images"]) {
    const group = reclaim.getByRole("region", { name: kind });
    if (await group.isVisible()) await group.getByRole("checkbox").first().uncheck();
  }
  const volume = reclaim.getByRole("checkbox", { name: "spare-data" });
  await expect(volume).not.toBeChecked();
  await volume.check();
  await reclaim.getByRole("checkbox", { name: "scratch" }).check();
  await reclaim.getByRole("checkbox", { name: /^Keep what is ticked/ }).check();
  await reclaim.getByRole("button", { name: "Into the trash" }).click();
  await expect(reclaim).toHaveCount(0);

  await page.getByRole("link", { name: "Trash", exact: true }).click();
  const grid = page.getByRole("grid", { name: "Trash" });
  await expect(grid.getByRole("row")).toHaveCount(4);
  await axe(page, "Trash");
  await page.reload();

  // What each does stands beside it before it is pressed, and below the list for all that are selected.
  const data = grid.getByRole("row", { name: /spare-data/ });
  await data.getByRole("button", { name: "Delete now" }).hover();
  const tip = page.getByRole("tooltip");
  await expect(tip).toContainText(/docker volume rm spare-data wherry-trash\.\d+\.spare-data/);
  await data.getByRole("button", { name: "Restore" }).hover();
  await expect(tip).toContainText(/docker volume rm wherry-trash\.\d+\.spare-data/);
  await grid.getByRole("row", { name: /spare:1/ }).getByRole("checkbox").check();
  const bulk = page.getByRole("toolbar", { name: "1 selected" });
  await expect(bulk).toContainText(/docker tag spare:wherry-trash\.\d+\.1 spare:1 && docker rmi spare:wherry-trash/);
  await bulk.getByRole("button", { name: "Delete now…" }).hover();
  await expect(bulk).toContainText(/now…\s+\$\s*docker rmi spare:wherry-trash\.\d+\.1\s*$/);
  await bulk.getByRole("button", { name: "Clear the selection" }).click();
  await data.hover();
  await data.getByRole("button", { name: "Restore" }).click();
  await expect(grid.getByRole("row", { name: /spare-data/ })).toHaveCount(0);
  expect(docker(testbed, "volume", "ls", "--quiet").split("\n")).toEqual(["spare-data"]);
  await page.getByRole("button", { name: /^Empty/ }).click();
  const ask = page.getByRole("alertdialog");
  await expect(ask.getByRole("group", { name: "Equivalent command" })).toContainText(/docker rm wherry-trash\S+scratch && docker rmi /);
  await ask.getByRole("button", { name: /^Delete 2 things/ }).click();
  await expect(page.getByRole("heading", { name: "The trash is empty" })).toBeVisible();
  expect(docker(testbed, "ps", "--all", "--quiet")).toBe("");
  expect(docker(testbed, "images", "--format", "{{.Repository}}:{{.Tag}}")).not.toContain("trash");
  docker(testbed, "volume", "rm", "spare-data");

  await page.keyboard.press("Control+h");
  for (const title of ["Restored spare-data", "Deleted scratch for good", "Deleted spare:1 for good", "Reclaimed disk space"]) {
    await expect(page.getByText(title, { exact: true }).first()).toBeVisible();
  }
});
