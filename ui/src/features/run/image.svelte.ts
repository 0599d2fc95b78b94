// What an image that may or may not be here says about itself, asked while its name is typed.

import { askable } from "$features/images/preflight";
import { call, type BeforePull, type ImageDetail } from "$lib/api";

const SETTLE_MILLIS = 250;
/** Registries count who asks them: a name that is still being typed is not asked for. */
const TYPED_MILLIS = 600;

export class ImageAnswer {
  detail = $state.raw<ImageDetail | null>(null);
  /** Whether the image is here; `null` while that is being asked. */
  here = $state<boolean | null>(null);

  #onfound: (detail: ImageDetail, old: () => boolean) => Promise<void>;
  #onmissing: () => void;

  /** `old` says whether another image has been asked about since. */
  constructor(onfound: (detail: ImageDetail, old: () => boolean) => Promise<void>, onmissing: () => void) {
    this.#onfound = onfound;
    this.#onmissing = onmissing;
  }

  /** The result ends it. */
  ask(reference: string, atOnce: boolean): () => void {
    this.detail = null;
    this.here = null;
    if (reference === "" || /\s/.test(reference)) return () => {};
    let old = false;
    const look = async () => {
      try {
        const found = await call("image.get", { reference });
        if (old) return;
        this.detail = found;
        this.here = true;
        await this.#onfound(found, () => old);
      } catch {
        if (old) return;
        this.here = false;
        this.#onmissing();
      }
    };
    const timer = setTimeout(look, atOnce ? 0 : SETTLE_MILLIS);
    return () => {
      old = true;
      clearTimeout(timer);
    };
  }
}

/** What the pull of an image will cost. */
export class PullCost {
  found = $state.raw<BeforePull | null>(null);

  /** Without a platform it is the engine's own. The result ends it. */
  ask(reference: string, platform: string, atOnce: boolean): () => void {
    this.found = null;
    if (!askable(reference)) return () => {};
    let old = false;
    const weigh = async () => {
      try {
        const found = await call("image.before_pull", { reference, platform: platform || null });
        if (!old) this.found = found;
      } catch {
        // Not knowing keeps nobody from trying.
      }
    };
    const timer = setTimeout(weigh, atOnce ? 0 : TYPED_MILLIS);
    return () => {
      old = true;
      clearTimeout(timer);
    };
  }
}
