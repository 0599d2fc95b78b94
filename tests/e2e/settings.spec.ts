// The settings' sections, and what their cards do, on an engine that is not Wherry's own.

import { mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Page, clear, docker, enter, expect, test } from "./testbed";

async function section(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name }).click();
  await expect(page.getByRole("heading", { level: 2, name, exact: true })).toBeVisible();
}

test("a backup is made, checked, and brings back what was removed", async ({ page, testbed }) => {
  clear(testbed);
  const folder = mkdtempSync(join(tmpdir(), "wherry-"));
  const file = join(folder, "all.wherry");
  docker(testbed, "volume", "create", "kept");
  docker(testbed, "run", "--name", "writer", "--volume", "kept:/data", "busybox", "/bin/sh", "-c", "echo precious > /data/file");
  await enter(page, testbed);
  await section(page, "Advanced & reset");

  const card = page.getByRole("region", { name: "Backup" });
  await card.getByRole("textbox", { name: "File" }).fill(file);
  await card.getByRole("button", { name: "Back up now" }).click();
  await expect(card.getByText(`Saved to ${file}`)).toBeVisible({ timeout: 60_000 });
  expect(statSync(file).mode & 0o077).toBe(0);
  await card.getByRole("button", { name: "Check the file" }).click();
  await expect(card.getByText(`${file} is whole`)).toBeVisible({ timeout: 60_000 });

  clear(testbed);
  docker(testbed, "volume", "rm", "kept");
  await card.getByRole("button", { name: "Restore…" }).click();
  const dialog = page.getByRole("dialog", { name: "Restore this backup?" });
  await expect(dialog.getByText(/It holds/)).toBeVisible();
  await dialog.getByRole("button", { name: "Keep" }).click();
  await dialog.getByRole("button", { name: "Restore", exact: true }).click();
  await expect(card.getByText(`Restored from ${file}`)).toBeVisible({ timeout: 60_000 });
  expect(docker(testbed, "run", "--rm", "--volumes-from", "writer", "busybox", "/bin/cat", "/data/file")).toBe("precious");

  // One that was cut off is told as that.
  truncateSync(file, statSync(file).size - 40);
  await card.getByRole("button", { name: "Check the file" }).click();
  await expect(card.getByRole("alert")).toBeVisible({ timeout: 60_000 });
  clear(testbed);
  docker(testbed, "volume", "rm", "kept");
  rmSync(folder, { recursive: true });
});

test("theme and text size take effect at once and stay", async ({ page, testbed }) => {
  await enter(page, testbed);
  await section(page, "Appearance");
  await page.getByRole("group", { name: "Theme" }).getByRole("button", { name: "Dark" }).click();
  await page.getByRole("group", { name: "Text size" }).getByRole("button", { name: "130%" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(page.locator("html")).toHaveCSS("font-size", "20.8px");
  await page.reload();
  await expect(page.locator("html")).toHaveCSS("font-size", "20.8px");
  await page.getByRole("group", { name: "Text size" }).getByRole("button", { name: "100%" }).click();
  await page.getByRole("group", { name: "Theme" }).getByRole("button", { name: "Same as system" }).click();
  await expect(page.locator("html")).toHaveCSS("font-size", "16px");
});

test("erasing and resetting ask first", async ({ page, testbed }) => {
  await enter(page, testbed);
  await section(page, "Advanced & reset");
  await page.getByRole("button", { name: "Erase…" }).click();
  const erase = page.getByRole("alertdialog", { name: "Erase everything?" });
  await expect(erase.getByRole("button", { name: "Erase everything" })).toBeDisabled();
  await erase.getByRole("textbox").fill("erase");
  await expect(erase.getByRole("button", { name: "Erase everything" })).toBeEnabled();
  await erase.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Reset settings…" }).click();
  const reset = page.getByRole("alertdialog", { name: "Reset the settings?" });
  await reset.getByRole("button", { name: "Cancel" }).click();
  await expect(reset).toBeHidden();
});

test("folders and the proxy of Wherry's own engine are kept without starting it", async ({ page, testbed }) => {
  const folder = mkdtempSync(join(tmpdir(), "wherry-share-"));
  await enter(page, testbed);
  await section(page, "File sharing");
  const shared = page.getByRole("list", { name: "Shared folders" });
  await page.getByRole("textbox", { name: "Another folder" }).fill(folder);
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await expect(shared.getByText(folder)).toBeVisible();
  await page.getByRole("button", { name: `Share ${folder} no longer` }).click();
  await expect(shared.getByText(folder)).toBeHidden();
  rmSync(folder, { recursive: true });

  await section(page, "Network & proxies");
  const kinds = page.getByRole("group", { name: "Proxy" });
  await kinds.getByRole("button", { name: "By hand" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("textbox", { name: "For http", exact: true })).toHaveAttribute("aria-invalid", "true");
  await page.getByRole("textbox", { name: "For http", exact: true }).fill("http://proxy.example:3128");
  await page.getByRole("button", { name: "Save" }).click();
  await page.reload();
  await expect(page.getByRole("textbox", { name: "For http", exact: true })).toHaveValue("http://proxy.example:3128");
  await kinds.getByRole("button", { name: "Same as system" }).click();
  await expect(page.getByRole("textbox", { name: "For http", exact: true })).toBeHidden();

  await section(page, "Resources");
  await page.getByRole("combobox", { name: "Sleep when nothing runs" }).selectOption("30");
  await page.reload();
  await expect(page.getByRole("combobox", { name: "Sleep when nothing runs" })).toHaveValue("30");
  await page.getByRole("combobox", { name: "Sleep when nothing runs" }).selectOption("5");
});

test("the machine's network is chosen by hand, and a mistake is told in words", async ({ page, testbed }) => {
  await enter(page, testbed);
  await section(page, "Network & proxies");
  const card = page.getByRole("region", { name: "Network of Wherry's own engine" });
  const choice = card.getByRole("group", { name: "Addresses" });
  await choice.getByRole("button", { name: "By hand" }).click();
  const field = card.getByRole("textbox", { name: "Network" });
  await field.fill("8.8.0.0/16");
  await card.getByRole("button", { name: "Save" }).click();
  await expect(card.getByText(/8\.8\.0\.0\/16 is not for private use/)).toBeVisible();
  await field.fill("10.99.0.0/16");
  await card.getByRole("button", { name: "Save" }).click();
  await page.reload();
  await expect(field).toHaveValue("10.99.0.0/16");
  await choice.getByRole("button", { name: "Chosen by Wherry" }).click();
  await expect(field).toHaveCount(0);
});

test("how long the trash keeps things is a setting", async ({ page, testbed }) => {
  clear(testbed);
  await enter(page, testbed);
  await section(page, "Advanced & reset");
  await page.getByRole("combobox", { name: "Keep what was removed" }).selectOption("30 days");
  await page.getByRole("combobox", { name: "At most" }).selectOption("5 GB");
  await page.getByRole("link", { name: "Home", exact: true }).click();
  await page.getByRole("link", { name: "Trash", exact: true }).click();
  await expect(page.getByText(/wait here for 30 days/)).toBeVisible();
  await section(page, "Advanced & reset");
  await expect(page.getByRole("combobox", { name: "At most" })).toHaveValue(String(5 * 2 ** 30));
  // At once, so that the second is chosen before the first was kept: neither is lost.
  await page.evaluate(() => {
    for (const [name, label] of [["Keep what was removed", "7 days"], ["At most", "20 GB"]] as const) {
      const select = [...document.querySelectorAll("select")].find((each) => each.labels[0]?.textContent?.includes(name));
      if (!select) throw new Error(name);
      select.value = [...select.options].find((option) => option.text.trim() === label)?.value ?? "";
      select.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
  await page.getByRole("link", { name: "Home", exact: true }).click();
  await section(page, "Advanced & reset");
  await expect(page.getByRole("combobox", { name: "At most" })).toHaveValue(String(20 * 2 ** 30));
  await expect(page.getByRole("combobox", { name: "Keep what was removed" })).toHaveValue("7");
});
