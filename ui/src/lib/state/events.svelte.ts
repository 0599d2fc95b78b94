// One subscription to the app's events, spread to whoever listens. Rust owns the truth: an event says what to ask again.

import { open, type Event, type Topic } from "$lib/api";

const RETRY_MILLIS = 1_000;

type Listener = (event: Event) => void;

const listeners = new Set<Listener>();
const changed = new Map<Topic, Set<() => void>>();

/** Whether events arrive. While they do not, what is shown may be old. */
export const events = $state({ connected: true });

/** Returns what ends it. */
export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Returns what ends it. */
export function onChanged(topics: Topic[], ask: () => void): () => void {
  for (const topic of topics) {
    const asks = changed.get(topic) ?? new Set();
    changed.set(topic, asks.add(ask));
  }
  return () => topics.forEach((topic) => changed.get(topic)?.delete(ask));
}

/**
 * Listens for as long as the page lives. `refresh` asks for everything, and rejects when nobody answers: at first, and
 * after each break, because what happened in between is lost. The subscription comes first, so nothing falls between the answer and the first event.
 */
export async function listen(refresh: () => Promise<void>): Promise<never> {
  for (;;) {
    const stream = open("app.events");
    refresh().then(
      () => (events.connected = true),
      () => {},
    );
    try {
      for await (const event of stream) {
        spread(event);
      }
    } catch {
      // Why it broke is of no use to the person: that it did is shown, and it is tried again.
    }
    events.connected = false;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MILLIS));
  }
}

function spread(event: Event): void {
  if (event.type === "changed") changed.get(event.topic)?.forEach((ask) => ask());
  listeners.forEach((listener) => listener(event));
}
