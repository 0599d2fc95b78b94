import { describe, expect, it } from "vitest";
import type { ImageSummary } from "$lib/api";
import { bulkRemoval, counts, foreign, freed, removal, rows, shortName, split, usedByText, visible } from "./rows";

function image(references: string[], change: Partial<ImageSummary> = {}): ImageSummary {
  return { id: `sha256:${references.join("") || "abcdef0123456789"}`, references, digests: [], size: 10, created: 0, usedBy: [], lastUse: null, ...change };
}

describe("names of images", () => {
  it("are taken apart at the tag, not at a registry's port", () => {
    expect(split("nginx:1.27")).toEqual({ repository: "nginx", tag: "1.27" });
    expect(split("localhost:5000/app")).toEqual({ repository: "localhost:5000/app", tag: "latest" });
    expect(split("localhost:5000/app:2")).toEqual({ repository: "localhost:5000/app", tag: "2" });
    expect(shortName("sha256:81af14c181af81af14c181af")).toBe("81af14c181af");
    expect(shortName("quay.io/jupyter/scipy-notebook:2025-10-20")).toBe("scipy-notebook");
  });
});

describe("rows", () => {
  const all = rows([
    image(["nginx:1", "nginx:latest"], { usedBy: ["web"] }),
    image([]),
    image(["postgres:16"]),
  ]);

  it("has one for each name, and one for an image without a name", () => {
    expect(all.map((row) => row.tag)).toEqual(["1", "latest", "", "16"]);
    expect(counts(all)).toEqual({ all: 4, used: 2, unused: 2, untagged: 1 });
  });

  it("is searched by name, tag and user", () => {
    expect(visible(all, "all", "nginx:l").map((row) => row.tag)).toEqual(["latest"]);
    expect(visible(all, "all", "web")).toHaveLength(2);
    expect(visible(all, "unused", "16")).toHaveLength(1);
  });
});

describe("removal", () => {
  const of = (summary: ImageSummary) => removal(rows([summary])[0] as never);

  it("says what goes, what stays and who is in the way", () => {
    expect(of(image(["nginx:1"])).title).toBe("Remove nginx:1?");
    expect(of(image(["a:1", "a:2"])).text).toMatch(/Only this name goes/);
    expect(of(image(["a:1"], { usedBy: ["web", "api"] })).text).toMatch(/used by web, api/);
  });

  it("counts users where there are many", () => {
    expect(usedByText([])).toBe("Unused");
    expect(usedByText(["a", "b", "c"])).toBe("a and 2 more");
  });
});

describe("what a removal gives back", () => {
  const images = [image(["a:1"], { size: 100 }), image(["b:1", "b:2"], { size: 50 }), image(["c:1"], { size: 7, usedBy: ["web"] })];
  const all = rows(images);
  const sizes = new Map(images.map(({ id }) => [id, { id, platform: "linux/amd64", shared: 10 }]));

  it("counts what is of its own, and only of what loses its last name", () => {
    expect(freed(all, sizes)).toBe(90 + 40);
    expect(freed(all.filter((row) => row.tag === "1"), sizes)).toBe(90);
    expect(bulkRemoval(all, images, sizes).text).toContain("1 of them is used");
    expect(bulkRemoval(all.slice(0, 1), images, sizes).title).toBe("Remove a:1?");
  });

  it("names a platform that is not the engine's", () => {
    const other = image(["x:1"]);
    const known = new Map([[other.id, { id: other.id, platform: "linux/arm64", shared: null }]]);
    expect(foreign(other, known, "x86_64")).toBe("linux/arm64");
    expect(foreign(other, known, "aarch64")).toBeNull();
    expect(foreign(other, null, "x86_64")).toBeNull();
  });
});
