import { expect, test, vi } from "vitest";

import type { Problem } from "./generated";
import { ProblemError } from "./problem";
import { ItemStream, type Message } from "./stream";

const PROBLEM: Problem = { code: "notFound", message: "web is gone", why: null, hint: null, causes: [], action: null };

function opened() {
  const source = { more: vi.fn(), say: vi.fn(), close: vi.fn() };
  let receive: (message: Message<number>) => void = () => {};
  const stream = new ItemStream<number>((given) => {
    receive = given;
    return source;
  });
  return { stream, source, receive: (message: Message<number>) => receive(message) };
}

async function all(stream: AsyncIterable<number>): Promise<number[]> {
  const items: number[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

test("items come one by one and in order, whatever batches they came in", async () => {
  const { stream, source, receive } = opened();
  receive([1, 2]);
  receive([3]);
  receive(null);
  expect(await all(stream)).toEqual([1, 2, 3]);
  expect(source.close, "there is nobody to tell once it has ended").not.toHaveBeenCalled();
});

test("a reader that waits is woken by items and by the end", async () => {
  const { stream, receive } = opened();
  const read = all(stream);
  await Promise.resolve();
  receive([1]);
  await Promise.resolve();
  receive(null);
  expect(await read).toEqual([1]);
});

test("more is asked for only when a batch has been read, so that a slow page slows the sender", async () => {
  const { stream, source, receive } = opened();
  receive([1, 2]);
  const reader = stream[Symbol.asyncIterator]();
  await reader.next();
  await reader.next();
  expect(source.more).not.toHaveBeenCalled();
  const third = reader.next();
  await vi.waitFor(() => expect(source.more).toHaveBeenCalledTimes(1));
  receive(null);
  expect((await third).done).toBe(true);
});

test("a problem comes after the items that were sent before it", async () => {
  const { stream, receive } = opened();
  receive([1]);
  receive({ problem: PROBLEM });
  const read: number[] = [];
  const failure = await (async () => {
    for await (const item of stream) read.push(item);
  })().catch((error: unknown) => error);
  expect(read).toEqual([1]);
  expect(failure).toBeInstanceOf(ProblemError);
  expect((failure as ProblemError).problem).toEqual(PROBLEM);
});

test("closing tells the other side once and ends a reader that waits", async () => {
  const { stream, source, receive } = opened();
  const read = all(stream);
  await Promise.resolve();
  stream.close();
  stream.close();
  receive([1]);
  expect(await read, "what comes after the close is nobody's").toEqual([]);
  expect(source.close).toHaveBeenCalledTimes(1);
});

test("leaving the loop closes the stream", async () => {
  const { stream, source, receive } = opened();
  receive([1, 2]);
  for await (const item of stream) if (item === 1) break;
  expect(source.close).toHaveBeenCalledTimes(1);
});
