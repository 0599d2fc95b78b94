// One file of the person's on its way into a container.

import { open, type FileOwner } from "$lib/api";
import { base64 } from "./files";

/** Small enough for one message, large enough for few. */
const PIECE = 192 << 10;
/** How many pieces may be on their way before the engine has taken one. */
const AHEAD = 4;

export async function upload(
  container: string,
  folder: string,
  owner: FileOwner,
  file: File,
  onprogress: (part: number) => void,
): Promise<void> {
  const stream = open("file.upload", { file: { container, folder, name: file.name, owner }, size: file.size });
  let at = 0;
  const send = async () => {
    if (at >= file.size) return;
    const piece = file.slice(at, at + PIECE);
    at += piece.size;
    stream.say({ data: base64(new Uint8Array(await piece.arrayBuffer())) });
  };
  try {
    // In order: the next piece is read when the one before it has been said.
    for (let ahead = 0; ahead < AHEAD; ahead++) await send();
    for await (const { written } of stream) {
      onprogress(file.size === 0 ? 1 : written / file.size);
      await send();
    }
  } finally {
    stream.close();
  }
}
