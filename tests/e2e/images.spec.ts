// Images: pulling what is not there, removing what is used.

import { clear, docker, enter, expect, test } from "./testbed";

test("an image that does not exist is explained", async ({ page, testbed }) => {
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog", { name: /Pull/ });
  await pull.getByRole("textbox", { name: "Image" }).fill("127.0.0.1:1/nobody/nothing:here");
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await expect(pull.getByRole("alert")).toContainText("nobody/nothing");
});

test("a used image is not removed by accident", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "tag", "busybox", "used:here");
  docker(testbed, "create", "--name", "user", "used:here", "/bin/true");
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("searchbox").fill("used");
  const row = page.getByRole("row", { name: /used/ });
  await expect(row).toContainText("user");
  clear(testbed);
  await expect(row).toContainText("Unused");
  await row.hover();
  await row.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("alertdialog", { name: "Remove used:here?" }).getByRole("button", { name: "Remove the name" }).click();
  await expect(row).toHaveCount(0);
});
