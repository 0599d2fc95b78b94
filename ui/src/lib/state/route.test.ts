import { expect, test } from "vitest";
import { href, parse } from "./route.svelte";

test("an address names its page and what is after it", () => {
  expect(parse("#/containers/4f2a")).toEqual({ page: "containers", rest: ["4f2a"] });
  expect(parse("#/images")).toEqual({ page: "images", rest: [] });
});

test("an address that means nothing is Home", () => {
  expect(parse("")).toEqual({ page: "home", rest: [] });
  expect(parse("#/volumes/data")).toEqual({ page: "home", rest: [] });
  expect(parse("#/containers/%")).toEqual({ page: "containers", rest: ["%"] });
});

test("an image's name with slashes comes back whole", () => {
  const name = "ghcr.io/owner/name:tag";
  expect(parse(href("images", name)).rest).toEqual([name]);
});
