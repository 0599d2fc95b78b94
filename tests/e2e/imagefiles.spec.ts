// What is in an image: which files each layer brought, how it differs from another, and files that become one.

import { axe, clear, docker, enter, expect, test } from "./testbed";

test("layers tell their files, two images are compared, and a tar becomes an image", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--name", "change", "busybox", "/bin/sh", "-c", "echo new >/added.txt; rm /bin/httpd");
  docker(testbed, "commit", "--change", "ENV TIER=<b>front</b>", "--change", "USER app", "change", "changed:1");
  docker(testbed, "tag", "busybox", "plain:1");
  const tar = `${testbed.home}/files.tar`;
  docker(testbed, "export", "--output", tar, "change");
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("row", { name: /changed/ }).getByRole("link", { name: "changed" }).click();
  await page.getByRole("button", { name: "Which files?" }).click();
  const steps = page.getByRole("list", { name: "Steps" });
  await expect(page.getByText("Open a step for its files")).toBeVisible();
  await steps.locator("summary").last().click();
  const files = steps.getByRole("list", { name: "Files of this layer" }).last();
  await expect(files).toContainText("added.txt");
  await expect(files.getByRole("listitem").filter({ hasText: "bin/httpd" })).toContainText("taken away");

  await page.getByRole("link", { name: "Images", exact: true }).first().click();
  for (const name of ["changed:1", "plain:1"]) await page.getByRole("checkbox", { name: `Select ${name}` }).check();
  await page.getByRole("toolbar", { name: "2 selected" }).getByRole("button", { name: "Compare" }).click();
  await expect(page.getByRole("heading", { name: "Compare" })).toBeVisible();
  await expect(page.getByRole("row", { name: /^\$TIER/ })).toContainText("<b>front</b>");
  await expect(page.getByRole("row", { name: /^User/ })).toContainText("root");
  await expect(page.getByText(/^The first layer is the same/)).toBeVisible();
  await page.getByRole("button", { name: "Compare the files" }).click();
  const differ = page.getByRole("list", { name: "Files that differ" });
  await expect(differ.getByRole("listitem").filter({ hasText: "added.txt" })).toContainText("Removed");
  await expect(differ.getByRole("listitem").filter({ hasText: "bin/httpd" })).toContainText("Added");
  await page.getByRole("group", { name: "Show" }).getByRole("button", { name: /^Added/ }).click();
  await expect(differ.getByRole("listitem").filter({ hasText: "added.txt" })).toHaveCount(0);
  await axe(page, "Two images compared");

  await page.getByRole("link", { name: "Images", exact: true }).first().click();
  await page.getByRole("button", { name: "Load a file" }).click();
  const load = page.getByRole("dialog", { name: "Load images from a file" });
  await load.getByRole("textbox", { name: "File" }).fill(tar);
  await load.getByRole("textbox", { name: /^Name/ }).fill("imported:1");
  await expect(load).toContainText(`docker import ${tar} imported:1`);
  await load.getByRole("button", { name: "Load", exact: true }).click();
  await expect(load).toContainText("imported:1 is here");
  expect(docker(testbed, "run", "--rm", "imported:1", "/bin/cat", "/added.txt")).toBe("new");
  clear(testbed);
  docker(testbed, "rmi", "imported:1", "changed:1", "plain:1");
});
