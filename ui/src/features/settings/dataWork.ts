// Backups and restores in words.

import type { BackupManifest, Existing, Task } from "$lib/api";
import { bytes, counted } from "$lib/format";

/** A task this card shows: a backup that is made, checked or brought back. */
export function isDataWork(task: Task): boolean {
  return task.work.type === "backup" || task.work.type === "verifyBackup" || task.work.type === "restore";
}

/** "3 images, 2 volumes, 1 network and 4 containers" */
export function holds(manifest: BackupManifest): string {
  const parts = [
    [manifest.images.length, "image"],
    [manifest.volumes.length, "volume"],
    [manifest.networks.length, "network"],
    [manifest.containers.length, "container"],
  ] as const;
  const words = parts.filter(([count]) => count > 0).map(([count, name]) => counted(count, name));
  const last = words.pop();
  if (!last) return "nothing but settings";
  return words.length > 0 ? `${words.join(", ")} and ${last}` : last;
}

export function sizeOf(manifest: BackupManifest): string {
  return bytes(manifest.members.reduce((sum, member) => sum + member.size, 0));
}

/** What is said when it has come to its end. */
export function doneWords(task: Task): string {
  switch (task.work.type) {
    case "backup":
      return `Saved to ${task.work.file}`;
    case "verifyBackup":
      return `${task.work.file} is whole`;
    case "restore":
      return `Restored from ${task.work.file}`;
    case "pull":
    case "push":
    case "saveImages":
    case "loadImages":
    case "run":
    case "recreate":
      return "Done";
  }
}

export const EXISTING: { value: Existing; label: string }[] = [
  { value: "refuse", label: "Stop" },
  { value: "keep", label: "Keep" },
  { value: "replace", label: "Replace" },
];

export function existingWords(existing: Existing): string {
  switch (existing) {
    case "refuse":
      return "When something of the same name is here, nothing is restored and you are told what.";
    case "keep":
      return "What is here stays as it is. The rest is restored.";
    case "replace":
      return "What is here under the same names is removed and comes from the backup.";
  }
}
