// Three hundred strings that mean harm, wherever a person or an image can put them: shown as the letters they are.

import { request } from "node:http";

import { clear, docker, enter, expect, test, type Page, type Testbed } from "./testbed";

const HARMS = [
  "<script>document.title='owned'</script>",
  "<img src=x onerror=\"document.title='owned'\">",
  "<svg/onload=document.title='owned'>",
  "<iframe srcdoc='<script>parent.document.title=1</script>'></iframe>",
  "\"><b autofocus onfocus=document.title='owned'>",
  "javascript:document.title='owned'",
  "{{constructor.constructor('document.title=1')()}}",
  "${document.title='owned'}",
  "</textarea></style><h1>bigger</h1>",
  "&lt;b&gt;&amp;&#x27;&nbsp;",
  "\u001b[31mred\u001b[0m",
  "\u001b]0;title\u0007",
  "\u001b[2J\u001b[1;1H",
  "\u202Egnp.exe",
  "\u2066left\u2069 \u05D0\u05D1\u05D2 \u0627\u0644\u0639",
  "zero\u200Bwidth\u200D\u2060\uFEFF",
  "Z\u0351\u0346a\u0334\u0322l\u0335\u0321g\u0336o\u0337".repeat(10),
  "\u{1F469}\u200D\u{1F469}\u200D\u{1F467}\u{1F3F4}\u{E0067}\u{E0062}\u{E007F}",
  "x".repeat(1000),
  "w ".repeat(500),
  "\u6F22".repeat(500),
  "a\tb\r\nc\nd",
  "../../../etc/passwd",
  "'; DROP TABLE containers; --",
  "$(touch /tmp/owned) `id` %PATH% !!",
  "\\u003cb\\u003e \\x1b[31m \\n",
  "null",
  "  leading and trailing  ",
  "\u0001\u0002\u007F\u0085",
  "\uFFFD\uFFFE\u2028\u2029",
];

/** Each alone, in the middle of words, twice, and with numbers that make them different. */
const STRINGS = HARMS.flatMap((harm, nth) => [
  harm,
  `before ${harm} after`,
  `${harm}${harm}`,
  ...Array.from({ length: 7 }, (_, again) => `${nth}-${again} ${harm}`),
]);

function create(testbed: Testbed, name: string): Promise<void> {
  const socketPath = testbed.docker.replace(/^unix:\/\//, "");
  const body = JSON.stringify({
    Image: "busybox",
    // A log driver splits what it gets at line ends; everything else is one line.
    Cmd: ["/bin/sh", "-c", 'for word in "$@"; do echo "$word"; done; exec sleep 1000', "sh", ...STRINGS],
    Env: STRINGS.map((text, nth) => `HARM_${nth}=${text}`),
    Labels: Object.fromEntries(STRINGS.map((text, nth) => [`harm.${nth}`, text])),
  });
  const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const path = `/containers/create?name=${name}`;
    const asked = request({ socketPath, path, method: "POST", headers }, (answer) => {
      let said = "";
      answer.on("data", (piece) => (said += piece));
      answer.once("end", () => (answer.statusCode === 201 ? resolve() : reject(new Error(said))));
    });
    asked.once("error", reject);
    asked.end(body);
  });
}

/** What the browser makes of a text by itself: two kinds of line end are one. */
const plain = (text: string) => text.replace(/\r\n?/g, "\n");

/** Nothing became an element, nothing ran, and nothing is wider than its place. */
async function harmless(page: Page, where: string): Promise<void> {
  await expect(page, where).toHaveTitle(/Wherry$/);
  await expect(page.locator("main, [role=main], dialog[open]").locator("script, iframe, img[src=x], h1:has-text('bigger')"), where).toHaveCount(0);
  for (const size of [
    { width: 800, height: 560 },
    { width: 1200, height: 780 },
  ]) {
    await page.setViewportSize(size);
    const wide = await page.evaluate(() =>
      [document.documentElement, ...document.querySelectorAll("[role=tabpanel], dialog[open] .dialog-body")]
        .filter((place) => place.scrollWidth > place.clientWidth + 1)
        .map((place) => `${place.className || place.tagName}: ${place.scrollWidth} in ${place.clientWidth}`),
    );
    expect(wide, `${where} at ${size.width}`).toEqual([]);
  }
}

test("three hundred strings that mean harm are words on every page", async ({ page, testbed }) => {
  expect(STRINGS).toHaveLength(300);
  clear(testbed);
  await create(testbed, "harmed");
  docker(testbed, "start", "harmed");
  const tag = `${"very-long-name-".repeat(8)}x:${"t".repeat(128)}`;
  docker(testbed, "tag", "busybox", tag);
  let dialogs = 0;
  page.on("dialog", (dialog) => {
    dialogs += 1;
    void dialog.dismiss();
  });
  await enter(page, testbed);

  await page.getByRole("link", { name: /^Containers/ }).click();
  await page.getByRole("row", { name: /harmed/ }).getByRole("link", { name: "harmed", exact: true }).click();
  const values = page.getByRole("region", { name: "Environment" }).getByRole("definition");
  await expect(page.getByRole("region", { name: "Environment" }).getByRole("term")).toHaveCount(STRINGS.length);
  const shown = new Set((await values.allTextContents()).map(plain));
  expect(STRINGS.map(plain).filter((text) => !shown.has(text)), "variables").toEqual([]);
  const labels = page.getByRole("region", { name: "Labels" }).getByRole("definition");
  const told = new Set((await labels.allTextContents()).map(plain));
  expect(STRINGS.map(plain).filter((text) => !told.has(text)), "labels").toEqual([]);
  await harmless(page, "Overview");

  await page.getByRole("tab", { name: "Logs" }).click();
  await expect(page.getByRole("log")).toBeVisible();
  for (const harm of ["<script>document", "onerror", "gnp.exe", "DROP TABLE"]) {
    await page.getByRole("searchbox").fill(harm);
    await expect(page.getByRole("log").getByText(harm, { exact: false }).first()).toBeVisible();
  }
  await harmless(page, "Logs");
  await page.getByRole("tab", { name: "Inspect" }).click();
  await page.getByRole("searchbox").fill("HARM_1=");
  await expect(page.getByRole("tree").getByText(/HARM_1=before <script>/).first()).toBeVisible();
  await harmless(page, "Inspect");
  await page.getByRole("tab", { name: "Stats" }).click();
  await expect(page.getByRole("region", { name: "Memory" })).toContainText(/[kM]B/);
  await harmless(page, "Stats");

  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Duplicate…" }).click();
  const run = page.getByRole("dialog", { name: /^Run / });
  await expect(run.getByRole("group", { name: "Equivalent command" })).toContainText("HARM_299");
  await harmless(page, "Run form");
  await run.getByRole("button", { name: "Cancel" }).click();

  await page.getByRole("link", { name: /^Images/ }).click();
  await page.getByRole("searchbox").fill("very-long-name");
  const row = page.getByRole("row", { name: /very-long-name/ });
  await expect(row).toBeVisible();
  await harmless(page, "Images");
  await row.getByRole("link").first().click();
  await expect(page.getByRole("list", { name: "Steps" })).toBeVisible();
  await harmless(page, "Image");
  await page.getByRole("link", { name: "Home", exact: true }).click();
  await expect(page.getByRole("region", { name: "Recent activity" })).toContainText("harmed");
  await harmless(page, "Home");

  expect(dialogs).toBe(0);
  clear(testbed);
  docker(testbed, "rmi", tag);
});
