// Registries: signing in, sending an image there, getting it back, signing out.

import { docker, enter, expect, test } from "./testbed";

test("a login is tried first, then good for a push and a pull, and ends", async ({ page, testbed }) => {
  const image = `${testbed.private}/ada/busybox:1`;
  await enter(page, testbed);
  await page.getByRole("link", { name: "Registries" }).click();
  await expect(page.getByRole("listitem", { name: "Docker Hub" })).toContainText("Not signed in");

  // Nobody may push there, which is said with the way out.
  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("searchbox").fill("busybox");
  await page.getByRole("row", { name: /busybox latest/ }).getByRole("link", { name: "busybox" }).click();
  await page.getByRole("button", { name: "Push", exact: true }).click();
  const push = page.getByRole("dialog", { name: /Push to|is pushed/ });
  await push.getByRole("textbox", { name: "Name at the registry" }).fill(image);
  await push.getByRole("button", { name: "Push", exact: true }).click();
  await expect(push.getByRole("alert")).toContainText("does not let you push");
  await push.getByRole("alert").getByRole("button", { name: "Sign in" }).click();

  const sign = page.getByRole("dialog", { name: `Sign in to ${testbed.private}` });
  await expect(sign).toContainText(/Answers in \d+ ms, without encryption/);
  await sign.getByRole("textbox", { name: "User name" }).fill("ada");
  await sign.getByRole("textbox", { name: "Token or password" }).fill("wrong");
  await sign.getByRole("radio", { name: /Only until Wherry quits/ }).check();
  await sign.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(sign.getByRole("alert")).toContainText("does not accept this login");
  await sign.getByRole("textbox", { name: "Token or password" }).fill("s:cret");
  await sign.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(sign).toHaveCount(0);

  await push.getByRole("button", { name: "Push", exact: true }).click();
  await expect(page.getByRole("dialog", { name: "is pushed" })).toBeVisible();
  await page.keyboard.press("Escape");
  docker(testbed, "rmi", image);
  await page.keyboard.press("Control+Shift+P");
  const pull = page.getByRole("dialog", { name: /Pull|is here/ });
  await pull.getByRole("textbox", { name: "Image" }).fill(image);
  await expect(pull.getByRole("region", { name: "Before the download" })).toContainText("Signed in as ada");
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await expect(page.getByRole("dialog", { name: /is here/ })).toBeVisible();
  await page.keyboard.press("Escape");

  await page.getByRole("link", { name: "Registries" }).click();
  const entry = page.getByRole("listitem", { name: testbed.private });
  await expect(entry).toContainText("until Wherry quits");
  await entry.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Check" }).click();
  await expect(entry).toContainText("Good");
  await entry.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(entry).toHaveCount(0);
  docker(testbed, "rmi", image);
});
