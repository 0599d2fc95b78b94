// Whether registries have newer images than those that somebody sees now. Asked a while after they came into sight, a
// few at a time; what comes back is remembered by the app, which also decides whom it may ask.

import { call, type ImageSeen, type Newness } from "$lib/api";
import { onChanged } from "./events.svelte";
import { SvelteMap } from "svelte/reactivity";

/** What is only scrolled past is not asked for. */
const REST_MILLIS = 600;
const AT_ONCE = 12;

function keyOf({ reference, id }: ImageSeen): string {
  return `${reference} ${id}`;
}

class Newer {
  #found = new SvelteMap<string, Newness>();
  #seen = new Map<string, { image: ImageSeen; times: number }>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;

  constructor() {
    onChanged(["images", "engine"], () => this.#soon());
  }

  of(image: ImageSeen): Newness | null {
    return this.#found.get(keyOf(image)) ?? null;
  }

  /** While it is in sight: what is returned says that it no longer is. */
  see(image: ImageSeen): () => void {
    const key = keyOf(image);
    const seen = this.#seen.get(key) ?? { image, times: 0 };
    seen.times += 1;
    this.#seen.set(key, seen);
    this.#soon();
    return () => {
      seen.times -= 1;
      if (seen.times === 0) this.#seen.delete(key);
    };
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), REST_MILLIS);
  }

  async #ask(): Promise<void> {
    if (this.#asking) {
      this.#soon();
      return;
    }
    this.#asking = true;
    try {
      const seen = [...this.#seen.values()].map(({ image }) => image);
      for (let at = 0; at < seen.length && navigator.onLine; at += AT_ONCE) {
        const images = seen.slice(at, at + AT_ONCE);
        const told = new Map((await call("image.newness", { images })).map((each) => [keyOf(each.image), each]));
        for (const image of images) {
          const found = told.get(keyOf(image));
          if (found) this.#found.set(keyOf(image), found);
          else this.#found.delete(keyOf(image));
        }
      }
    } catch {
      // Nothing is said about what cannot be known now.
    } finally {
      this.#asking = false;
    }
  }
}

export const newer = new Newer();
