/**
 * The commands and streams of the app, typed by the generated table. What carries them is `transport.ts`'s business.
 */
import type { Commands, Streams } from "./generated";
import { ItemStream, type Stream } from "./stream";
import { transport } from "./transport";

export type * from "./generated";
export { ProblemError, problemOf } from "./problem";
export type { Stream } from "./stream";
export { host, type Choice, type Host, type WindowFrame } from "./transport";

/** Commands without parameters are called with the name alone. */
type Arguments<Params> = [Params] extends [null] ? [] : [params: Params];

/** Rejects with a `ProblemError`. */
export async function call<K extends keyof Commands>(
  name: K,
  ...params: Arguments<Commands[K]["params"]>
): Promise<Commands[K]["result"]> {
  return (await transport.call(name, params[0] ?? null)) as Commands[K]["result"];
}

/** The subscription begins now, not at the first read. Reading throws a `ProblemError` when the stream fails. */
export function open<K extends keyof Streams>(
  name: K,
  ...params: Arguments<Streams[K]["params"]>
): Stream<Streams[K]["result"], Streams[K]["input"]> {
  return new ItemStream<Streams[K]["result"], Streams[K]["input"]>((receive) => transport.open(name, params[0] ?? null, receive));
}
