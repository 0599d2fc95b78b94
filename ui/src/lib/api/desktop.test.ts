// @vitest-environment happy-dom
import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";
import { afterEach, expect, test, vi } from "vitest";

import { desktopTransport } from "./desktop";
import type { Problem } from "./generated";
import { ProblemError } from "./problem";
import type { Message } from "./stream";

const PROBLEM: Problem = { code: "engineUnreachable", message: "No engine", why: null, hint: null, causes: [], action: null };

afterEach(clearMocks);

test("a call passes name and parameters and gives the result", async () => {
  mockIPC((command, args) => ({ command, args }));
  expect(await desktopTransport().call("image.get", { reference: "nginx" })).toEqual({
    command: "call",
    args: { name: "image.get", params: { reference: "nginx" } },
  });
});

test("a refused call rejects with the problem", async () => {
  mockIPC(() => {
    throw PROBLEM;
  });
  const error: unknown = await desktopTransport()
    .call("image.list", null)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ProblemError);
  expect((error as ProblemError).problem).toEqual(PROBLEM);
});

test("a stream that cannot be opened ends with the problem", async () => {
  mockIPC((command) => {
    if (command === "open") throw PROBLEM;
  });
  const received: Message[] = [];
  desktopTransport().open("app.events", null, (message) => received.push(message));
  await vi.waitFor(() => expect(received).toEqual([{ problem: PROBLEM }]));
});

test("more and close name the stream by its channel", () => {
  const called: [string, unknown][] = [];
  mockIPC((command, args) => {
    called.push([command, args]);
  });
  const source = desktopTransport().open("app.events", null, () => {});
  const { channel } = called[0]?.[1] as { channel: { id: number } };
  source.more();
  source.close();
  expect(called.slice(1)).toEqual([
    ["more", { stream: channel.id }],
    ["close", { stream: channel.id }],
  ]);
});

test("what is said goes in order, one call at a time, with all that waits", async () => {
  const said: unknown[] = [];
  let answer = () => {};
  mockIPC((command, args) => {
    if (command !== "say") return;
    said.push((args as { inputs: unknown }).inputs);
    return new Promise<void>((resolve) => (answer = resolve));
  });
  const source = desktopTransport().open("terminal.session", { id: 1 }, () => {});
  source.say("a");
  await vi.waitFor(() => expect(said).toEqual([["a"]]));
  source.say("b");
  source.say("c");
  answer();
  await vi.waitFor(() => expect(said).toEqual([["a"], ["b", "c"]]));
});
