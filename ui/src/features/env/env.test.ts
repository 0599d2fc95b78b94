import { describe, expect, it } from "vitest";
import type { EnvFileView, EnvVariable } from "$lib/api";
import { headline, isPlain, pieces } from "./env";

const variable = (change: Partial<EnvVariable> = {}): EnvVariable => ({
  line: 1,
  name: "A",
  written: "A=b",
  run: "b",
  compose: "b",
  secret: false,
  warnings: [],
  ...change,
});

const view = (...variables: EnvVariable[]): EnvFileView => ({
  path: "/x/.env",
  variables,
  runRefuses: null,
  composeRefuses: null,
  hasMark: false,
  hasCarriageReturns: false,
});

describe("a file of variables", () => {
  it("says how many values are other than they look", () => {
    expect(headline(view())).toBe("No variables in this file");
    expect(headline(view(variable()))).toBe("The value is what it looks like");
    expect(headline(view(variable(), variable()))).toBe("All 2 values are what they look like");
    expect(headline(view(variable(), variable({ run: '"b"', warnings: ["quotesKept"] })))).toBe(
      "1 of 2 values are not what the file seems to say",
    );
    expect(isPlain(variable({ compose: null }))).toBe(false);
  });

  it("sets apart what nobody sees", () => {
    expect(pieces('"a b"', false)).toEqual([
      { text: '"', odd: true },
      { text: "a b", odd: false },
      { text: '"', odd: true },
    ]);
    expect(pieces("x  ", false)).toEqual([
      { text: "x", odd: false },
      { text: "··", odd: true },
    ]);
    expect(pieces("it's", false)).toEqual([{ text: "it's", odd: false }]);
    expect(pieces("'secret' ", true)).toEqual([
      { text: "'", odd: true },
      { text: "••••••", odd: false },
      { text: "'", odd: true },
      { text: "·", odd: true },
    ]);
    expect(pieces("", true)).toEqual([]);
  });
});
