import { expect, test } from "vitest";
import { SECTIONS, sectionOf } from "./sections";

test("every section has its own address, and any other address is the first section", () => {
  for (const section of SECTIONS) expect(sectionOf([section.name])).toBe(section);
  expect(new Set(SECTIONS.map((section) => section.name)).size).toBe(SECTIONS.length);
  expect(sectionOf([]).name).toBe("resources");
  expect(sectionOf(["registries", "x"]).name).toBe("resources");
});
