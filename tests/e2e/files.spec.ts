// The files of a container: dropped in, taken out, and never lost unasked.

import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Page } from "@playwright/test";

import { clear, docker, enter, expect, test } from "./testbed";

const md5 = (bytes: Buffer | string): string => createHash("md5").update(bytes).digest("hex");

/** As the person's file manager does it: what is dropped are real files and folders. */
async function drop(page: Page, onto: string, files: string[]): Promise<void> {
  const box = await page.getByRole("region", { name: onto }).boundingBox();
  if (box === null) throw new Error(`${onto} is not in view`);
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const cdp = await page.context().newCDPSession(page);
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await cdp.send("Input.dispatchDragEvent", { type, x, y, data: { items: [], files, dragOperationsMask: 1 } });
  }
  await cdp.detach();
}

/** Where the app says that it has saved something. */
async function savedAs(page: Page, name: RegExp): Promise<string> {
  const told = await page.getByText(name).innerText();
  return told.replace(/^Saved as /, "");
}

test("a file and a folder are dropped, come out again as they were, and text is not lost unasked", async ({ page, testbed }) => {
  clear(testbed);
  const make = "mkdir -p /app/site; echo kept >/app/site/old.txt; echo 'print(1)' >/app/main.py; ln -s site /app/current; exec /bin/sleep 1000";
  docker(testbed, "run", "--detach", "--name", "api", "busybox", "/bin/sh", "-c", make);
  const folder = mkdtempSync(join(tmpdir(), "wherry drop "));
  const content: Record<string, Buffer> = {
    "site/index.html": Buffer.from("<h1>Dropped</h1>"),
    "site/css/a b.css": Buffer.from("body {}"),
    "site/big.bin": randomBytes(1_000_000),
    "notes.txt": Buffer.from("a note\n"),
  };
  mkdirSync(join(folder, "site/css"), { recursive: true });
  mkdirSync(join(folder, "site/empty"));
  for (const [path, bytes] of Object.entries(content)) writeFileSync(join(folder, path), bytes);
  await enter(page, testbed);
  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name: "api" }).getByRole("link", { name: "api", exact: true }).click();
  await page.getByRole("tab", { name: "Files" }).click();
  const grid = page.getByRole("grid", { name: /^Files in/ });
  await grid.getByRole("row", { name: /\bapp\b/ }).click();
  await expect(grid.getByRole("row", { name: /main\.py/ })).toBeVisible();

  await drop(page, "Files of api", [join(folder, "site"), join(folder, "notes.txt")]);
  await expect(grid.getByRole("row", { name: /notes\.txt/ })).toBeVisible();
  const inside = docker(testbed, "exec", "api", "/bin/sh", "-c", "cd /app && find site notes.txt -type f -exec md5sum {} + | sort -k 2");
  const wanted = Object.entries({ ...content, "site/old.txt": Buffer.from("kept\n") }).map(([path, bytes]) => `${md5(bytes)}  ${path}`);
  expect(inside.split("\n").sort()).toEqual(wanted.sort());
  docker(testbed, "exec", "api", "/bin/sh", "-c", "test -d /app/site/empty");

  await grid.getByRole("button", { name: "More for notes.txt" }).click();
  const menu = page.getByRole("menu", { name: "More for notes.txt" });
  for (const [item, command] of [
    ["Download", "docker cp api:/app/notes.txt ."],
    ["Rename…", "docker exec -u 0 api mv -- /app/notes.txt /app/NAME"],
    ["Delete…", "docker exec -u 0 api rm -rf -- /app/notes.txt"],
  ] as const) {
    await menu.getByRole("menuitem", { name: item }).hover();
    await expect(menu.getByRole("menuitem", { name: item })).toHaveAccessibleDescription(new RegExp(`${command.replaceAll(".", "\\.")}$`));
  }
  await page.getByRole("menuitem", { name: "Download" }).click();
  expect(readFileSync(await savedAs(page, /^Saved as .*notes/)).equals(content["notes.txt"] as Buffer)).toBe(true);
  await grid.getByRole("button", { name: "More for current" }).click();
  await page.getByRole("menuitem", { name: "Download" }).click();
  const linked = execFileSync("tar", ["-tf", await savedAs(page, /^Saved as .*current.*\.tar$/)], { encoding: "utf8" });
  expect(linked, "a link to a folder is saved as that folder").toContain("site/old.txt");
  await grid.getByRole("row", { name: /\bsite\b/ }).click();
  await expect(grid.getByRole("row", { name: /index\.html/ })).toBeVisible();
  await page.getByRole("button", { name: "Download this folder" }).click();
  const tar = await savedAs(page, /^Saved as .*site.*\.tar$/);
  const out = mkdtempSync(join(tmpdir(), "wherry-out-"));
  execFileSync("tar", ["-xf", tar, "-C", out]);
  for (const [path, bytes] of Object.entries(content).filter(([path]) => path.startsWith("site/"))) {
    expect(md5(readFileSync(join(out, path))), path).toBe(md5(bytes));
  }

  // Four ways to leave, and the text is still there.
  await page.getByRole("navigation", { name: "Folder" }).getByRole("button", { name: "app" }).click();
  await grid.getByRole("row", { name: /main\.py/ }).click();
  const text = page.getByRole("textbox", { name: "Text of main.py" });
  await text.focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("print(2)\n");
  const question = page.getByRole("alertdialog", { name: "Leave without saving?" });
  for (const leave of [
    () => page.goBack(),
    () => page.getByRole("tab", { name: "Logs" }).click(),
    () => page.getByRole("link", { name: /^Images/ }).click(),
    () => page.getByRole("button", { name: "Close main.py" }).click(),
  ]) {
    await leave();
    await expect(question).toContainText("/app/main.py");
    await question.getByRole("button", { name: "Cancel" }).click();
    await expect(text).toContainText("print(2)");
    await expect(page.getByText("Not saved")).toBeVisible();
  }
  const asked = page.waitForEvent("dialog");
  await page.close({ runBeforeUnload: true });
  const closing = await asked;
  expect(closing.type()).toBe("beforeunload");
  await closing.dismiss();
  await expect(text).toContainText("print(2)");

  await page.getByRole("tab", { name: "Logs" }).click();
  await question.getByRole("button", { name: "Leave without saving" }).click();
  await expect(page.getByRole("tab", { name: "Logs" })).toHaveAttribute("aria-selected", "true");
  expect(docker(testbed, "exec", "api", "/bin/cat", "/app/main.py")).toBe("print(1)");
  clear(testbed);
  for (const made of [folder, out]) rmSync(made, { recursive: true });
});
