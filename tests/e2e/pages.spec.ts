// Every page, in both themes, with nothing that a person with a screen reader or a keyboard would trip over.

import { AxeBuilder } from "@axe-core/playwright";

import { clear, docker, enter, expect, test } from "./testbed";

for (const theme of ["light", "dark"] as const) {
  test(`axe finds nothing, ${theme}`, async ({ page, testbed }) => {
    clear(testbed);
    docker(testbed, "run", "--detach", "--name", "web", "--publish", "18080:80", "busybox", "/bin/httpd", "-f");
    docker(testbed, "create", "--name", "resting", "busybox", "/bin/true");
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    const check = async (where: string): Promise<void> => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(" | ")}`);
      expect(found, where).toEqual([]);
    };
    await enter(page, testbed);
    await expect(page.getByRole("heading", { name: "Home" })).toBeVisible();
    await check("Home");
    await page.getByRole("button", { name: "Show as table" }).click();
    await check("Home with a table");
    await page.getByRole("button", { name: "Reclaim…" }).click();
    await expect(page.getByRole("dialog", { name: "Reclaim disk space" }).getByRole("button", { name: /^Reclaim/ })).toBeVisible();
    await check("Reclaim dialog");
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: /^Containers/ }).click();
    await expect(page.getByRole("row", { name: /web/ })).toBeVisible();
    await check("Containers");
    await page.getByRole("row", { name: /web/ }).getByRole("link", { name: "web" }).click();
    await expect(page.getByRole("heading", { name: "web" })).toBeVisible();
    await check("Container");
    await page.getByRole("tab", { name: "Logs" }).click();
    await check("Logs");
    await page.getByRole("link", { name: /^Images/ }).click();
    await expect(page.getByRole("row", { name: /busybox/ })).toBeVisible();
    await check("Images");
    await page.getByRole("row", { name: /busybox/ }).getByRole("link", { name: "busybox" }).click();
    await expect(page.getByRole("list", { name: "Steps" })).toBeVisible();
    await check("Image");
    await page.getByRole("button", { name: "Push" }).click();
    await expect(page.getByRole("dialog", { name: /Push/ })).toBeVisible();
    await check("Push dialog");
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Registries" }).click();
    await expect(page.getByRole("listitem", { name: "Docker Hub" })).toBeVisible();
    await check("Registries");
    await page.getByRole("button", { name: "Sign in to a registry" }).click();
    await expect(page.getByRole("dialog", { name: /Sign in/ }).getByRole("radio").first()).toBeVisible();
    await check("Sign-in dialog");
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: /^Images/ }).click();
    await page.getByRole("button", { name: "Pull an image" }).click();
    await expect(page.getByRole("dialog", { name: /Pull/ })).toBeVisible();
    await check("Pull dialog");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+n");
    await expect(page.getByRole("dialog", { name: /Run/ })).toBeVisible();
    await check("Run dialog");
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Settings" }).click();
    const sections = page.getByRole("navigation", { name: "Sections" }).getByRole("link");
    for (const section of await sections.all()) {
      await section.click();
      await expect(section).toHaveAttribute("aria-current", "true");
      await check(`Settings, ${await section.textContent()}`);
    }
    await page.getByRole("button", { name: "Open the doctor" }).click();
    await expect(page.getByRole("heading", { name: /checks pass/ })).toBeVisible({ timeout: 60_000 });
    await check("Doctor");
    clear(testbed);
  });
}

test("the token is needed", async ({ request, testbed }) => {
  const { origin } = new URL(testbed.address);
  const answer = await request.post(`${origin}/api/call/container.list`, { data: { all: true } });
  expect(answer.status()).toBe(401);
});
