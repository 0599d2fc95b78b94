import { describe, expect, test } from "vitest";
import { plain, spans } from "./ansi";
import { highlight, lineWords, matchWords, mayUnfold, millisOf, NOTHING, openOf, rowOf, TAIL, timeOf, topLine, unfolded } from "./loglines";

describe("what is read", () => {
  test("the last lines, all of them, or a time", () => {
    const ids = ["a"];
    expect(openOf(ids, "last", "", "", 0)).toEqual({ ids, tail: TAIL, since: null, until: null });
    expect(openOf(ids, "all", "", "", 0).tail).toBeNull();
    expect(openOf(ids, "quarter", "", "", 1_000_000_000).since).toBe(1_000_000_000 - 900_000);
    const between = openOf(ids, "between", "2026-11-21T10:00", "", 0);
    expect(between.since).toBe(new Date(2026, 10, 21, 10).getTime());
    expect(between.until).toBeNull();
    expect(millisOf("soon")).toBeNull();
  });
});

describe("where a line stands", () => {
  test("a line has its height until there are too many for a browser", () => {
    expect(rowOf(1000)).toBe(20);
    expect(rowOf(10_000_000) * 10_000_000).toBe(12_000_000);
    expect(topLine(415, 1000)).toBe(20);
    expect(topLine(12_000_000, 10_000_000)).toBe(9_999_999);
    expect(topLine(0, 0)).toBe(0);
  });
});

test("counts in words", () => {
  expect(matchWords({ ...NOTHING, matches: 1204 }, 2)).toBe("2 of 1 204");
  expect(matchWords({ ...NOTHING, searching: true }, null)).toBe("Looking");
  expect(matchWords({ ...NOTHING, matches: 3, searching: true }, null)).toBe("3+");
  expect(matchWords(NOTHING, null)).toBe("None");
  expect(lineWords({ ...NOTHING, kept: 1, shown: 1 })).toBe("1 line");
  expect(lineWords({ ...NOTHING, kept: 2000, shown: 10, dropped: 5 })).toBe("2 000 lines, 10 shown, older ones are not kept");
});

test("a line of JSON is unfolded, and what only looks like it is not", () => {
  expect(unfolded('{"level":"info","msg":"x"}')).toBe('{\n  "level": "info",\n  "msg": "x"\n}');
  expect(unfolded('2026-11-21 INFO {"a":1}')).toBe('{\n  "a": 1\n}');
  for (const text of ["{not json}", "plain", '{"a":1} and more', "{}x"]) expect(unfolded(text)).toBeNull();
  expect(mayUnfold('{ "a": 1 }')).toBe(true);
  expect(mayUnfold("function f() { return 1 }")).toBe(false);
});

test("parts are cut at the edges of matches, colours kept", () => {
  const parts = spans("\u001b[31mred\u001b[0m and plain");
  expect(parts.map(({ text }) => text).join("")).toBe(plain("\u001b[31mred\u001b[0m and plain"));
  const cut = highlight(parts, [
    [1, 5],
    [8, 9],
  ]);
  expect(cut.map(({ text, match }) => [text, match])).toEqual([
    ["r", null],
    ["ed", 0],
    [" a", 0],
    ["nd ", null],
    ["p", 1],
    ["lain", null],
  ]);
  expect(cut[0]?.style).toBe("a-red");
});

test("a time is short, and one that is unknown is nothing", () => {
  expect(timeOf(new Date(2026, 10, 21, 4, 2, 7, 18).getTime())).toBe("04:02:07.018");
  expect(timeOf(null)).toBe("");
});
