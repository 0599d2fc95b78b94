import { expect, it } from "vitest";
import type { Clicked } from "$lib/api";
import { byDay, found } from "./clicked";

const NOW = new Date(2026, 10, 21, 14, 0).getTime();
const HOUR = 60 * 60 * 1000;

const action = (id: number, title: string, hoursAgo: number, failed = false): Clicked => ({
  id,
  atMillis: NOW - hoursAgo * HOUR,
  tookMillis: 5,
  title,
  failed,
  commands: [["docker", "start", title]],
  line: `docker start ${title}`,
});

it("lists actions by day, newest first", () => {
  const days = byDay([action(4, "web", 1), action(3, "db", 2), action(2, "api", 20), action(1, "old", 72)], NOW);
  expect(days.map(({ actions }) => actions.map(({ id }) => id))).toEqual([[4, 3], [2], [1]]);
  expect(days.slice(0, 2).map(({ name }) => name)).toEqual(["Today", "Yesterday"]);
});

it("finds by words of the title and of the command", () => {
  const list = [action(2, "web", 1), action(1, "db", 2, true)];
  expect(found(list, "all", "START")).toHaveLength(2);
  expect(found(list, "failed", "").map(({ id }) => id)).toEqual([1]);
  expect(found(list, "done", "db")).toEqual([]);
});
