// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { browserTransport } from "./browser";
import type { Problem } from "./generated";
import { ProblemError } from "./problem";
import type { Message } from "./stream";

const PROBLEM: Problem = { code: "inUse", message: "web runs", why: null, hint: null, causes: [], action: { type: "force" } };

class FakeSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static last: FakeSocket;
  readonly sent: string[] = [];
  readyState = 0;
  onopen: () => void = () => {};
  onmessage: (event: { data: string }) => void = () => {};
  onclose: () => void = () => {};

  constructor(
    readonly address: URL,
    readonly protocols: string[],
  ) {
    FakeSocket.last = this;
  }

  open() {
    this.readyState = FakeSocket.OPEN;
    this.onopen();
  }

  send(text: string) {
    this.sent.push(text);
  }

  close() {
    this.readyState = 3;
    this.onclose();
  }
}

const fetch = vi.fn<typeof globalThis.fetch>();

beforeEach(() => {
  vi.stubGlobal("fetch", fetch);
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("location", { href: "http://127.0.0.1:4000/?token=abc&x=1#/images" });
  vi.stubGlobal("history", { state: null, replaceState: vi.fn() });
});

afterEach(() => {
  vi.unstubAllGlobals();
  fetch.mockReset();
  sessionStorage.clear();
});

async function problemOf(call: Promise<unknown>): Promise<Problem> {
  const error: unknown = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ProblemError);
  return (error as ProblemError).problem;
}

test("the token leaves the address and survives a reload", async () => {
  browserTransport();
  const address = vi.mocked(history.replaceState).mock.calls[0]?.[2];
  expect(String(address)).toBe("http://127.0.0.1:4000/?x=1#/images");

  vi.stubGlobal("location", { href: String(address) });
  fetch.mockResolvedValue(Response.json(null));
  await browserTransport().call("machine.stop", null);
  expect(new Headers(fetch.mock.calls[0]?.[1]?.headers).get("authorization")).toBe("Bearer abc");
});

test("a call posts its parameters and gives the result", async () => {
  fetch.mockResolvedValue(Response.json([{ id: "1" }]));
  expect(await browserTransport().call("container.list", { all: true })).toEqual([{ id: "1" }]);
  expect(fetch.mock.calls[0]?.[0]).toBe("/api/call/container.list");
  expect(fetch.mock.calls[0]?.[1]?.body).toBe('{"all":true}');
});

test("a problem arrives whole", async () => {
  fetch.mockResolvedValue(Response.json(PROBLEM, { status: 422 }));
  expect(await problemOf(browserTransport().call("container.remove", {}))).toEqual(PROBLEM);
});

test("a server that is gone, or that was started again, is said as such", async () => {
  fetch.mockRejectedValueOnce(new TypeError("Failed to fetch"));
  expect((await problemOf(browserTransport().call("app.about", null))).message).toBe("The server does not answer");
  fetch.mockResolvedValueOnce(new Response("", { status: 401 }));
  expect((await problemOf(browserTransport().call("app.about", null))).hint).toContain("printed last");
});

test("a stream names itself first, hands over messages, and says more and close", () => {
  const received: Message<number>[] = [];
  const source = browserTransport().open<number>("container.logs", { id: "1" }, (message) => received.push(message));
  const socket = FakeSocket.last;
  expect(String(socket.address), "a token in an address ends up in logs").toBe("ws://127.0.0.1:4000/api/open");
  expect(socket.protocols).toEqual(["wherry", "abc"]);
  socket.open();
  socket.onmessage({ data: "[1,2]" });
  source.more();
  socket.onmessage({ data: "null" });
  socket.close();
  expect(socket.sent).toEqual(['{"name":"container.logs","params":{"id":"1"}}', "more"]);
  expect(received).toEqual([[1, 2], null]);
});

test("a connection that breaks is a problem; one that we closed is not", () => {
  const broken: Message<number>[] = [];
  browserTransport().open<number>("app.events", null, (message) => broken.push(message));
  FakeSocket.last.close();
  expect(broken).toHaveLength(1);
  expect(broken[0]).toHaveProperty("problem");

  const closed: Message<number>[] = [];
  browserTransport()
    .open<number>("app.events", null, (message) => closed.push(message))
    .close();
  expect(closed).toEqual([]);
});

test("what is said before the connection is there is said after the name", () => {
  const source = browserTransport().open("terminal.session", { id: 1 }, () => {});
  source.say("early");
  const socket = FakeSocket.last;
  socket.open();
  source.say("late");
  expect(socket.sent).toEqual(['{"name":"terminal.session","params":{"id":1}}', '["early"]', '["late"]']);
});
