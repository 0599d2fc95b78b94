// Files and folders on their way into a container, and how far each is.

import { call, ProblemError, type FileOwner } from "$lib/api";
import { announce } from "$lib/state/announce.svelte";
import { toasts } from "$lib/state/toasts.svelte";
import { type Dropped, sizeOf } from "./dropped";
import { join } from "./files";
import { upload } from "./upload";

type Place = { container: string; folder: string; owner: FileOwner };

export class Uploads {
  running = $state<{ name: string; part: number }[]>([]);

  /** One after another. What cannot be taken is told, and the rest goes on. */
  async put(place: Place, all: Dropped[]): Promise<void> {
    for (const dropped of all) {
      this.running.push({ name: dropped.name, part: 0 });
      const at = this.running.length - 1;
      try {
        await put(place, dropped, (part) => {
          const entry = this.running[at];
          if (entry) entry.part = part;
        });
        announce(`${dropped.name} is uploaded`);
      } catch (error) {
        toasts.problem(error, { label: "Try again", run: () => void this.put(place, [dropped]) });
      }
    }
    this.running = [];
  }
}

async function put({ container, folder, owner }: Place, dropped: Dropped, onprogress: (part: number) => void): Promise<void> {
  // Of a new folder nothing is there yet, and nobody has to ask.
  const made = new Set<string>();
  for (const path of dropped.folders) {
    const at = path.lastIndexOf("/");
    const parent = at < 0 ? "" : path.slice(0, at);
    if (!made.has(parent) && (await isThere(container, join(folder, path)))) continue;
    made.add(path);
    const inside = parent === "" ? folder : join(folder, parent);
    await call("file.folder", { container, folder: inside, name: path.slice(at + 1), owner });
  }
  const all = sizeOf(dropped);
  let before = 0;
  for (const { folder: inside, file } of dropped.files) {
    const to = inside === "" ? folder : join(folder, inside);
    await upload(container, to, owner, file, (part) => onprogress(all === 0 ? 1 : (before + part * file.size) / all));
    before += file.size;
  }
}

async function isThere(container: string, path: string): Promise<boolean> {
  try {
    await call("file.list", { container, path });
    return true;
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === "notFound") return false;
    throw error;
  }
}
