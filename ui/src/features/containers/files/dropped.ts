// What is dropped on the page: files, and folders with all that is in them.

export type Dropped = {
  name: string;
  /** Folders to be made, each after the one that it is in: "site", "site/css". */
  folders: string[];
  files: { folder: string; file: File }[];
};

export function ofFiles(files: Iterable<File>): Dropped[] {
  return [...files].map((file) => ({ name: file.name, folders: [], files: [{ folder: "", file }] }));
}

/** To be called while the event is handled: afterwards a browser gives nothing away. */
export function entriesOf(items: DataTransferItemList): FileSystemEntry[] {
  return [...items].map((item) => (item.kind === "file" ? item.webkitGetAsEntry() : null)).filter((entry) => entry !== null);
}

export async function ofEntry(entry: FileSystemEntry): Promise<Dropped> {
  const found: Dropped = { name: entry.name, folders: [], files: [] };
  await collect(entry, "", found);
  return found;
}

async function collect(entry: FileSystemEntry, folder: string, found: Dropped): Promise<void> {
  if (isFile(entry)) {
    found.files.push({ folder, file: await new Promise<File>((resolve, reject) => entry.file(resolve, reject)) });
  } else if (isFolder(entry)) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    found.folders.push(path);
    for (const child of await children(entry)) await collect(child, path, found);
  }
}

/** A browser hands them over some at a time, until it has none. */
async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

export function sizeOf({ files }: Dropped): number {
  return files.reduce((sum, { file }) => sum + file.size, 0);
}
