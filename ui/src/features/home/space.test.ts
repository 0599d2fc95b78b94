import { expect, test } from "vitest";
import { spaceNotes } from "./space";

test("with room everywhere there is nothing to say", () => {
  expect(spaceNotes({ disk: "roomy", hostRoom: "roomy" })).toEqual([]);
});

test("a disk that fills is a warning, a full one is trouble; both lead to what makes room", () => {
  for (const [disk, kind] of [
    ["nearlyFull", "warn"],
    ["full", "bad"],
  ] as const) {
    expect(spaceNotes({ disk, hostRoom: "roomy" })).toMatchObject([{ kind, ways: ["remove", "enlarge"] }]);
  }
});

test("what is urgent stands first", () => {
  const notes = spaceNotes({ disk: "full", hostRoom: "nearlyFull" });
  expect(notes.map((note) => note.kind)).toEqual(["bad", "warn"]);
});
