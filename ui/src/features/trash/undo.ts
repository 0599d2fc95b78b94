// Back out of the trash: right after a removal, and from the trash's own page.

import { call, type TrashId, type TrashOutcome } from "$lib/api";
import { announce } from "$lib/state/announce.svelte";
import { containers, images } from "$lib/state/inventory.svelte";
import { toasts } from "$lib/state/toasts.svelte";
import { counted } from "$lib/format";
import { afterwards } from "./trash";

/** Longer than other messages: it is read, and then decided. */
const UNDO_MILLIS = 10_000;

/** Says what went, and how it comes back. `kept` is empty for what is gone for good. */
export function offerUndo(text: string, kept: TrashId[]): void {
  if (kept.length === 0) {
    toasts.show(`${text} for good`);
    return;
  }
  const toast = toasts.show(`${text}, into the trash`, {
    millis: UNDO_MILLIS,
    action: {
      label: "Undo",
      undoes: true,
      run: () => {
        toasts.close(toast);
        void restore(kept);
      },
    },
  });
}

export async function restore(ids: TrashId[]): Promise<void> {
  try {
    tell(await call("trash.restore", { ids }));
  } catch (error) {
    toasts.problem(error);
  }
  await Promise.all([containers.refresh(), images.refresh()]);
}

function tell({ restored, failed }: TrashOutcome): void {
  const [first] = restored;
  if (first !== undefined) {
    const text = restored.length === 1 ? `${first.name} is back` : `${counted(restored.length, "thing")} are back`;
    announce(text);
    const notes = restored.map(afterwards).filter((note) => note !== null);
    if (notes.length === 0) toasts.show(text);
    for (const { text, detail } of notes) toasts.show(text, { kind: "bad", detail, stays: true });
  }
  for (const problem of failed) toasts.trouble(problem);
}
