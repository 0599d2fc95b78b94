// A taken port is refused with who holds it, and the next free one is a click away.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { clear, docker, enter, expect, test } from "./testbed";

test("a taken port is named before and after the click", async ({ page, testbed }) => {
  clear(testbed);
  const server = createServer((_, response) => response.end("somebody else"));
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  const { port } = server.address() as AddressInfo;

  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("button", { name: "Run an image" }).first().click();
  const run = page.getByRole("dialog", { name: /Run/ });
  await run.getByRole("textbox", { name: "Image" }).fill("busybox");
  await run.getByRole("textbox", { name: "Name" }).fill("taken");
  await run.getByRole("textbox", { name: "Port on this computer" }).fill(String(port));
  await run.getByRole("textbox", { name: "Port in the container" }).fill("80");
  await run.getByRole("textbox", { name: "Command" }).fill("/bin/httpd -f -h /www");
  await expect(run.getByText(new RegExp(`${port} is used by .*pid ${process.pid}`)).first()).toBeVisible();
  await run.getByRole("button", { name: /^Use \d+/ }).first().click();
  await run.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { name: "taken" })).toBeVisible();
  const published = docker(testbed, "port", "taken", "80/tcp");
  expect(published).not.toContain(`:${port}`);
  server.close();
  clear(testbed);
});
