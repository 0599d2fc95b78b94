import { expect, test } from "vitest";

import type { FileEntry } from "$lib/api";
import { base64, crumbs, fileCommand, join, modeWord, nameWrong, parent, visible } from "./files";

test("a path is its folders", () => {
  expect(crumbs("/")).toEqual([{ name: "/", path: "/" }]);
  expect(crumbs("/app/src").map(({ path }) => path)).toEqual(["/", "/app", "/app/src"]);
  expect([parent("/app/src"), parent("/app"), join("/", "app"), join("/app", "x")]).toEqual(["/app", "/", "/app", "/app/x"]);
});

test("a name that leads elsewhere is refused", () => {
  expect(nameWrong("../x", [])).not.toBeNull();
  expect(nameWrong("..", [])).not.toBeNull();
  expect(nameWrong("x".repeat(256), [])).not.toBeNull();
  expect(nameWrong("main.py", ["main.py"])).toContain("already");
  expect(nameWrong("naïve <b>.txt", [])).toBeNull();
});

test("what is shown fits the search and the filter", () => {
  const entry = (name: string, change: FileEntry["change"]) => ({ name, change }) as FileEntry;
  const all = [entry("main.py", "changed"), entry("README", null)];
  expect(visible(all, { text: "READ", changed: false }).map(({ name }) => name)).toEqual(["README"]);
  expect(visible(all, { text: "", changed: true }).map(({ name }) => name)).toEqual(["main.py"]);
});

test("every work has its command, with names quoted", () => {
  expect(fileCommand("api", { type: "upload", name: "a b.csv", folder: "/data" }).text).toBe("docker cp 'a b.csv' api:/data/");
  expect(fileCommand("api", { type: "download", path: "/app" }).text).toBe("docker cp api:/app .");
  expect(fileCommand("api", { type: "rename", path: "/app/a", name: "b" }).text).toBe(
    "docker exec -u 0 api mv -- /app/a /app/b",
  );
  expect(fileCommand("api", { type: "delete", path: "/$(x)" }).text).toBe("docker exec -u 0 api rm -rf -- '/$(x)'");
  expect(fileCommand("api", { type: "save", path: "/app/main.py" }).text).toBe("docker cp main.py api:/app/main.py");
});

test("bytes and modes", () => {
  expect(modeWord(0o755)).toBe("rwxr-xr-x");
  expect(atob(base64(new Uint8Array(100_000).fill(255))).length).toBe(100_000);
});
