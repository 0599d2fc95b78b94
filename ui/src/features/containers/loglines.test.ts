import { describe, expect, it } from "vitest";
import { plain, spans } from "./ansi";
import { columnsOf, highlight, keptOf, LINE_HEIGHT, LogLines, Matches, matchesIn, rowsOf } from "./loglines";

const line = (text: string) => ({ source: "stdout" as const, millis: null, text });
const fill = (lines: LogLines, from: number, to: number) => {
  for (let n = from; n < to; n++) lines.add(keptOf(n, line(`line ${n}`)));
};

describe("LogLines", () => {
  it("keeps the last ones and forgets the rest, however many come", () => {
    const lines = new LogLines(100);
    fill(lines, 0, 1050);
    expect(lines.length).toBe(100);
    expect(lines.at(0)?.text).toBe("line 950");
    expect(lines.height).toBe(100 * LINE_HEIGHT);
    expect(lines.top(0)).toBe(0);
    expect(lines.indexOf(1000)).toBe(50);
    expect(lines.at(-1)).toBeUndefined();
  });

  it("knows where wrapped lines stand, before and after the width changes", () => {
    const lines = new LogLines();
    lines.add(keptOf(0, line("x".repeat(25))));
    lines.add(keptOf(1, line("short")));
    expect(lines.top(1)).toBe(LINE_HEIGHT);
    lines.wrapAt(10);
    expect(lines.top(1)).toBe(3 * LINE_HEIGHT);
    expect(lines.indexAt(LINE_HEIGHT * 2)).toBe(0);
    expect(lines.indexAt(LINE_HEIGHT * 3)).toBe(1);
    lines.add(keptOf(2, line("y".repeat(11))));
    expect(lines.height).toBe(6 * LINE_HEIGHT);
  });

  it("takes 50,000 lines without a pause that could be seen", () => {
    const lines = new LogLines();
    const start = performance.now();
    fill(lines, 0, 100_000);
    expect(performance.now() - start).toBeLessThan(1500);
    expect(lines.length).toBe(50_000);
  });
});

describe("rows of a line", () => {
  it("counts tabs and wide characters as they are drawn", () => {
    expect(columnsOf("a\tb")).toBe(9);
    expect(columnsOf("日本")).toBe(4);
    expect(rowsOf("", 80)).toBe(1);
    expect(rowsOf("x".repeat(81), 80)).toBe(2);
  });
});

describe("search", () => {
  it("finds capital letters or not, and every place in a line", () => {
    expect(matchesIn("ReadTimeout after timeout", "timeout")).toEqual([
      [4, 11],
      [18, 25],
    ]);
    expect(matchesIn("anything", "")).toEqual([]);
  });

  it("takes the search literally", () => {
    expect(matchesIn("a.c abc", "a.c")).toEqual([[0, 3]]);
  });

  it("walks over lines and forgets those that are dropped", () => {
    const matches = new Matches("a");
    matches.add(keptOf(0, line("aa")));
    matches.add(keptOf(1, line("b")));
    matches.add(keptOf(2, line("a")));
    expect(matches.count).toBe(3);
    expect(matches.at(1)).toEqual({ number: 0, nth: 1 });
    expect(matches.from(1)).toBe(2);
    expect(matches.dropBefore(1)).toBe(2);
    expect(matches.count).toBe(1);
  });

  it("cuts coloured parts where a match begins and ends", () => {
    const parts = [
      { text: "one two", style: "a-red" },
      { text: " three", style: "" },
    ];
    expect(highlight(parts, [[4, 9]])).toEqual([
      { text: "one ", style: "a-red", match: null },
      { text: "two", style: "a-red", match: 0 },
      { text: " t", style: "", match: 0 },
      { text: "hree", style: "", match: null },
    ]);
  });
});

describe("escapes", () => {
  const samples = [
    "\u001b[31mred\u001b[0m plain",
    "\u001b[2J\u001b[Hcleared",
    "\u001b]0;a title\u0007after",
    "\u001b]8;;https://example.com\u001b\\link\u001b]8;;\u001b\\",
    "50%\r100%",
    "bell\u0007 and \u001b alone",
    "\u001b\u001b[31m[31m nested",
    "<b>no markup</b> & more",
  ];

  it("leaves only text, the same with and without colours", () => {
    for (const sample of samples) {
      const text = plain(sample);
      // eslint-disable-next-line no-control-regex
      expect(text).not.toMatch(/[\u0000-\u0008\u001b]/);
      expect(spans(sample).map((span) => span.text).join("")).toBe(text);
    }
  });

  it("keeps colours, drops commands and shows what a progress bar ended with", () => {
    expect(spans(samples[0] ?? "")).toEqual([
      { text: "red", style: "a-red" },
      { text: " plain", style: "" },
    ]);
    expect(plain(samples[1] ?? "")).toBe("cleared");
    expect(plain(samples[3] ?? "")).toBe("link");
    expect(plain(samples[4] ?? "")).toBe("100%");
    expect(plain(samples[7] ?? "")).toBe("<b>no markup</b> & more");
  });
});
