import { expect, test } from "vitest";
import { ofEntry, ofFiles, sizeOf } from "./dropped";

function file(name: string, text: string): FileSystemEntry {
  const entry = { name, isFile: true, isDirectory: false, file: (done: (file: File) => void) => done(new File([text], name)) };
  return entry as unknown as FileSystemEntry;
}

function folder(name: string, children: FileSystemEntry[]): FileSystemEntry {
  const createReader = () => {
    const left = [...children];
    // Two at a time, as browsers give a hundred.
    return { readEntries: (done: (some: FileSystemEntry[]) => void) => done(left.splice(0, 2)) };
  };
  return { name, isFile: false, isDirectory: true, createReader } as unknown as FileSystemEntry;
}

test("a folder is taken with all that is in it, folders before their files", async () => {
  const site = folder("site", [file("a", "1"), folder("css", [file("b", "22")]), file("c", "333"), folder("empty", [])]);
  const found = await ofEntry(site);
  expect(found.folders).toEqual(["site", "site/css", "site/empty"]);
  expect(found.files.map(({ folder, file }) => `${folder}/${file.name}`)).toEqual(["site/a", "site/css/b", "site/c"]);
  expect(sizeOf(found)).toBe(6);
  expect((await ofEntry(file("alone", "x"))).files[0]?.folder).toBe("");
});

test("files that were chosen lie where the page is", () => {
  expect(ofFiles([new File(["ab"], "x")])).toMatchObject([{ name: "x", folders: [], files: [{ folder: "" }] }]);
});
