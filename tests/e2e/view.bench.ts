// How many frames a second the page draws while a container prints as fast as it can.

import { Figures, openTab, RUNS } from "./figures";
import { clear, docker, enter, expect, test, type Page } from "./testbed";

const MILLIS = 5000;
const LINE = '172.17.0.1 - - [22/Nov/2026:03:15:00 +0000] "GET /index.html HTTP/1.1" 200 612 "-" "curl/8.5.0"';

/** Frames a second, scrolling so many pixels up in each. */
async function frames(page: Page, step: number): Promise<number> {
  return page.evaluate(
    ([millis, step]) =>
      new Promise<number>((resolve) => {
        const log = document.querySelector("[role=log]");
        let [count, begun] = [-1, 0];
        const frame = (now: number) => {
          count += 1;
          if (count === 0) begun = now;
          if (log && step > 0) log.scrollTop -= step;
          if (now - begun < millis) requestAnimationFrame(frame);
          else resolve((count * 1000) / (now - begun));
        };
        requestAnimationFrame(frame);
      }),
    [MILLIS, step] as const,
  );
}

test("the view of a log", async ({ page, testbed }) => {
  const figures = new Figures();
  for (let run = 0; run < RUNS; run += 1) {
    // Anew each time: a log of gigabytes would fill the disk.
    clear(testbed);
    docker(testbed, "run", "--detach", "--name", "flood", "busybox", "/bin/busybox", "yes", LINE);
    await page.goto("about:blank");
    figures.add("empty", await frames(page, 0));

    await enter(page, testbed);
    await openTab(page, "flood", "Logs");
    const log = page.getByRole("log");
    await expect(log).toContainText("GET /index.html");
    figures.add("follow", await frames(page, 0));
    figures.add("scroll", await frames(page, 60));
    docker(testbed, "kill", "flood");
    await expect(page.getByText("Live", { exact: true })).toHaveCount(0);
    await page.getByRole("button", { name: "To the end" }).click();
    figures.add("scrollEnded", await frames(page, 60));
  }
  clear(testbed);
  figures.write();
});
