import { expect, test } from "vitest";

import type { ImageSummary, Shells } from "$lib/api";
import { shellKind, tabTitle, tabWords, tools, userOptions } from "./terminals";

const shells: Shells = { shells: ["/bin/bash"], users: [{ name: "root", id: 0 }, { name: "app", id: 1000 }], user: "app", terminal: false };

test("whoever the container runs as comes first, and root is always there", () => {
  expect(userOptions(shells)).toEqual([
    { value: "", label: "app (1000)" },
    { value: "root", label: "root (0)" },
  ]);
  expect(userOptions({ ...shells, user: "1000:1000" })[0]).toEqual({ value: "", label: "app (1000)" });
  expect(userOptions({ ...shells, user: null, users: [] })).toEqual([{ value: "", label: "root" }]);
  expect(userOptions({ ...shells, user: "4242", users: [] })).toEqual([
    { value: "", label: "4242" },
    { value: "0", label: "root (0)" },
  ]);
});

test("a tab says what runs in it", () => {
  expect(tabWords({ kind: shellKind("/bin/bash", "root") })).toEqual({ name: "bash", detail: "root" });
  expect(tabTitle({ kind: shellKind("/usr/bin/zsh", "") })).toBe("zsh");
  expect(tabTitle({ kind: { type: "debug", image: "busybox:latest" } })).toBe("debug, busybox:latest");
});

test("a tool that is here is used by the name it has here", () => {
  const images = [{ references: ["busybox:1.36"] }] as unknown as ImageSummary[];
  expect(tools(images).map(({ reference, here }) => [reference, here])).toEqual([
    ["busybox:1.36", true],
    ["nicolaka/netshoot:latest", false],
    ["alpine:latest", false],
  ]);
});
