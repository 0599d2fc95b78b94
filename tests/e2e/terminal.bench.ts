// How long a terminal takes: from a key to its echo, from Ctrl C in a flood to the prompt, for a long file. The same
// without a page, straight at the engine's socket, in between.

import { Figures, openTab, quantile, RUNS } from "./figures";
import { RawTerminal } from "./rawterminal";
import { clear, docker, enter, expect, test, type Page } from "./testbed";

const KEYS = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh";
const LOADED_MILLIS = 1000;
const FLOODS = 5;
const BIG = "yes 0123456789012345678901234567890123456789012345678901234567890123456789012345678 | head -c 100000000 > /big";

/** Nobody types to the beat of a screen's frames. */
function pause(nth: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 40 + ((nth * 37.7) % 97)));
}

/** Milliseconds from when the browser had the key to when the screen's text is this. */
async function time(page: Page, key: string, pattern: string): Promise<number> {
  await page.evaluate((pattern) => {
    const rows = document.querySelector(".xterm-rows");
    const wanted = new RegExp(pattern);
    const shown = new Promise<number>((resolve) => {
      let pressed = 0;
      const onkey = (event: KeyboardEvent) => {
        if (event.key === "Control") return;
        removeEventListener("keydown", onkey, true);
        pressed = event.timeStamp;
      };
      addEventListener("keydown", onkey, true);
      const observer = new MutationObserver(() => {
        if (pressed === 0 || !wanted.test(rows?.textContent ?? "")) return;
        observer.disconnect();
        resolve(performance.now() - pressed);
      });
      if (rows) observer.observe(rows, { childList: true, subtree: true, characterData: true });
    });
    Object.assign(globalThis, { shown });
  }, pattern);
  await page.keyboard.press(key);
  return page.evaluate(() => (globalThis as unknown as { shown: Promise<number> }).shown);
}

async function ours(page: Page, figures: Figures): Promise<void> {
  const screen = page.locator(".xterm-rows");
  await page.keyboard.type("clear\n");
  await expect(screen).toHaveText(/^\s*\/ #\s*$/);
  // The page has just been loaded, and draws what was shown before: nobody types in that second.
  await new Promise((resolve) => setTimeout(resolve, LOADED_MILLIS));
  const echoes = [];
  for (let nth = 0; nth < KEYS.length; nth += 1) {
    await pause(nth);
    echoes.push(await time(page, KEYS.charAt(nth), `#\\s${KEYS.slice(0, nth + 1)}`));
  }
  figures.add("echo", quantile(echoes, 0.95));
  figures.add("echoMiddle", quantile(echoes, 0.5));
  await page.keyboard.press("Control+c");

  const floods = [];
  for (let nth = 0; nth < FLOODS; nth += 1) {
    await page.keyboard.type("yes\n");
    await expect(screen).toHaveText(/^[y\s]*$/);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await pause(nth);
    floods.push(await time(page, "Control+c", "\\^C\\s*/ #\\s*$"));
  }
  figures.add("interrupt", quantile(floods, 1));

  await page.keyboard.type("cat /big; echo do''ne");
  figures.add("cat", (await time(page, "Enter", "done\\s*/ #\\s*$")) / 1000);
}

async function raw(terminal: RawTerminal, figures: Figures): Promise<void> {
  await terminal.time("clear\n", /# $/);
  const echoes = [];
  for (let nth = 0; nth < KEYS.length; nth += 1) {
    await pause(nth);
    echoes.push(await terminal.time(KEYS.charAt(nth), new RegExp(`${KEYS.charAt(nth)}$`)));
  }
  figures.add("rawEcho", quantile(echoes, 0.95));
  figures.add("rawEchoMiddle", quantile(echoes, 0.5));
  await terminal.time("\u0003", /# $/);

  const floods = [];
  for (let nth = 0; nth < FLOODS; nth += 1) {
    await terminal.time("yes\n", /(y\r\n){50}/);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await pause(nth);
    floods.push(await terminal.time("\u0003", /\^C\r\n.*# $/));
  }
  figures.add("rawInterrupt", quantile(floods, 1));
  figures.add("rawCat", (await terminal.time("cat /big; echo do''ne\n", /done\r\n.*# $/)) / 1000);
}

/** From a key to the next frame of a page that does nothing: nothing drawn can be there before. */
async function frame(page: Page, figures: Figures): Promise<void> {
  await page.goto("about:blank");
  const times = [];
  for (let nth = 0; nth < KEYS.length; nth += 1) {
    await pause(nth);
    await page.evaluate(() => {
      const shown = new Promise<number>((resolve) => {
        const onkey = ({ timeStamp }: KeyboardEvent) =>
          requestAnimationFrame(() => resolve(performance.now() - timeStamp));
        addEventListener("keydown", onkey, { once: true });
      });
      Object.assign(globalThis, { shown });
    });
    await page.keyboard.press(KEYS.charAt(nth));
    times.push(await page.evaluate(() => (globalThis as unknown as { shown: Promise<number> }).shown));
  }
  figures.add("frame", quantile(times, 0.95));
  figures.add("frameMiddle", quantile(times, 0.5));
}

test("a terminal", async ({ page, testbed }) => {
  clear(testbed);
  docker(testbed, "run", "--detach", "--name", "shell", "busybox", "/bin/sleep", "100000");
  docker(testbed, "exec", "shell", "/bin/sh", "-c", BIG);
  const figures = new Figures();
  const terminal = await RawTerminal.open(testbed, "shell");
  for (let run = 0; run < RUNS; run += 1) {
    const parts = [
      async () => {
        await enter(page, testbed);
        await openTab(page, "shell", "Terminal");
        await expect(page.getByRole("group", { name: /in shell$/ })).toContainText("#");
        await ours(page, figures);
      },
      async () => {
        await frame(page, figures);
        await raw(terminal, figures);
      },
    ];
    if (run % 2 === 1) parts.reverse();
    for (const part of parts) await part();
  }
  terminal.close();
  clear(testbed);
  figures.write();
});
