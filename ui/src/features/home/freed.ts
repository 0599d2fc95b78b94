import type { MachineFreed } from "$lib/api";
import { capacity } from "$lib/format";

const NOTICEABLE = 1024 * 1024;

/** What came back to this computer, in a sentence. */
export function freedWords({ memory, disk }: MachineFreed): string {
  const parts = [
    memory >= NOTICEABLE ? `${capacity(memory)} of memory` : null,
    disk >= NOTICEABLE ? `${capacity(disk)} of disk` : null,
  ].filter((part) => part !== null);
  return parts.length > 0 ? `${parts.join(" and ")} came back` : "Nothing was held that is not needed";
}
