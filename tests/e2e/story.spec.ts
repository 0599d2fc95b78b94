// The way from nothing to a page in the browser, by clicking.

import { clear, docker, enter, expect, test } from "./testbed";

test("pull python, run a web server, open it, read its log, stop it", async ({ page, testbed, request }) => {
  clear(testbed);
  // Other tests may have pulled it.
  if (docker(testbed, "images", "--quiet", "python:3.13-slim") !== "") docker(testbed, "rmi", "python:3.13-slim");
  await enter(page, testbed);

  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("button", { name: "Pull an image" }).click();
  const pull = page.getByRole("dialog");
  await pull.getByRole("textbox", { name: "Image" }).fill("python:3.13-slim");
  await expect(pull.getByText("docker pull python:3.13-slim")).toBeVisible();
  await pull.getByRole("button", { name: "Pull", exact: true }).click();
  await expect(pull.getByRole("progressbar").first()).toBeVisible();
  await expect(pull.getByRole("heading", { name: "python is here" })).toBeVisible();
  await pull.getByRole("button", { name: /^Run/ }).click();

  const run = page.getByRole("dialog", { name: /Run/ });
  await run.getByRole("textbox", { name: "Name" }).fill("site");
  await run.getByRole("textbox", { name: "Port on this computer" }).fill("8000");
  await run.getByRole("textbox", { name: "Port in the container" }).fill("8000");
  await run.getByRole("textbox", { name: "Command" }).fill("python -m http.server 8000");
  await expect(run.getByText("8000 is free")).toBeVisible();
  await expect(run.getByRole("group", { name: "Equivalent command" })).toContainText("-p 8000:8000");
  await expect(run.getByRole("group", { name: "Equivalent command" })).toContainText("python -m http.server 8000");
  await run.getByRole("button", { name: "Run", exact: true }).click();

  // It shows the container's page, whose button opens the address.
  await expect(page.getByRole("heading", { name: "site" })).toBeVisible();
  const opened = page.waitForEvent("popup");
  await page.getByRole("button", { name: "Open localhost:8000" }).click();
  await expect((await opened).getByRole("heading", { name: "Directory listing for /" })).toBeVisible();
  await page.getByRole("tab", { name: "Logs" }).click();
  await expect(page.getByRole("log")).toContainText('"GET / HTTP/1.1" 200');

  // The terminal sees the same container.
  expect(docker(testbed, "ps", "--format", "{{.Names}} {{.Ports}}")).toContain("site 0.0.0.0:8000->8000/tcp");

  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.getByText(/Exited/).first()).toBeVisible();
  await expect
    .poll(() => request.get("http://127.0.0.1:8000/").then(() => "answers", () => "refused"))
    .toBe("refused");

  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: /^Containers/ }).click();
  const row = page.getByRole("row", { name: /site/ });
  await expect(row).toContainText("Exited");
  await row.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: /Delete/ }).click();
  await page.getByRole("alertdialog", { name: /site/ }).getByRole("button", { name: /^Delete/ }).click();
  await expect(row).toHaveCount(0);
  expect(docker(testbed, "ps", "--all", "--format", "{{.Names}} {{.State}}")).toMatch(/^wherry-trash\.\S+ exited$/);
});
