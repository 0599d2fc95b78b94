import { beforeEach, describe, expect, it, vi } from "vitest";

import type { Choice } from "$lib/api";

const host: { choose: ((choice: Choice) => Promise<string | null>) | null } = { choose: null };
vi.mock("$lib/api", () => ({ host }));

const { saveAs } = await import("./saveAs");

describe("saving", () => {
  beforeEach(() => (host.choose = null));

  it("goes to the downloads where there is no dialog", async () => {
    expect(await saveAs("Save the log", "web.log")).toEqual({ to: null });
  });

  it("asks the system for the file, with a name that every system takes", async () => {
    host.choose = vi.fn(async () => "/home/ada/web.log");
    expect(await saveAs("Save the log", "a/b:c.log")).toEqual({ to: "/home/ada/web.log" });
    expect(host.choose).toHaveBeenCalledWith({ what: "newFile", title: "Save the log", path: "a_b_c.log" });
  });

  it("saves nothing when the person goes back", async () => {
    host.choose = async () => null;
    expect(await saveAs("Save the log", "web.log")).toBeNull();
  });
});
