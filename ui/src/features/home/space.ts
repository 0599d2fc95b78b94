import type { MachineRunning } from "$lib/api";

/** What leads to more room: to the things that could go, to the size of the disk, or giving back what is not used. */
export type Way = "remove" | "enlarge" | "giveBack";

export type SpaceNote = { kind: "warn" | "bad"; title: string; text: string; ways: Way[] };

/** What is to be said of the engine's disk and of this computer's, most urgent first. */
export function spaceNotes({ disk, hostRoom }: Pick<MachineRunning, "disk" | "hostRoom">): SpaceNote[] {
  const notes: SpaceNote[] = [];
  switch (disk) {
    case "roomy":
      break;
    case "nearlyFull":
      notes.push({
        kind: "warn",
        title: "The engine's disk is more than 90% full.",
        text: "Remove images and containers that you no longer need, or make it larger.",
        ways: ["remove", "enlarge"],
      });
      break;
    case "full":
      notes.push({
        kind: "bad",
        title: "The engine's disk is full.",
        text: "What is written next may fail. Remove what you no longer need, or make it larger.",
        ways: ["remove", "enlarge"],
      });
      break;
  }
  switch (hostRoom) {
    case "roomy":
    // A page of its own says it.
    case "standsStill":
      break;
    case "nearlyFull":
      notes.push({
        kind: "warn",
        title: "This computer's disk is nearly full.",
        text: "When it is, the engine stands still until there is room again. Nothing is lost by that.",
        ways: ["giveBack"],
      });
      break;
  }
  return notes.sort((a, b) => Number(b.kind === "bad") - Number(a.kind === "bad"));
}
