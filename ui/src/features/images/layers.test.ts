import { expect, test } from "vitest";
import { destination, kindOf, parts, pushTrouble } from "./layers";

const step = (instruction: string, bytes = 1) => ({ instruction, created: 0, bytes, comment: "" });

test("a layer is told by its instruction", () => {
  expect(kindOf(step("RUN apt-get update && apt-get install -y curl"))).toBe("system");
  expect(kindOf(step("RUN pip install -r requirements.txt"))).toBe("packages");
  expect(kindOf(step("COPY . ."))).toBe("files");
  expect(kindOf(step("ADD file:abc in /"))).toBe("base");
  expect(kindOf(step("CMD [\"x\"]", 0))).toBe("none");
});

test("a step that nobody wrote is named all the same", () => {
  expect(parts(step("RUN x y"))).toEqual({ word: "RUN", rest: "x y" });
  expect(parts(step("")).rest).toBe("Imported");
});

test("it is said where a push goes", () => {
  expect(destination("ghcr.io/ada/app:1")).toBe("ghcr.io");
  expect(destination("localhost:5000/app")).toBe("localhost:5000");
  expect(destination("ada/app")).toBe("Docker Hub");
  expect(pushTrouble("app:1")).toContain("you/name");
  expect(pushTrouble("ada/app:1")).toBeNull();
});
