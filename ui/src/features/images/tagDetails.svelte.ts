// Size, age and platforms of tags: a registry lists only their names, so those that somebody looks at are asked for.

import { call, type RemoteTag } from "$lib/api";

/** What is only scrolled past is not asked for. */
const REST_MILLIS = 300;

export class TagDetails {
  #known = $state.raw<ReadonlyMap<string, RemoteTag>>(new Map());
  #asked = new Set<string>();
  #inSight = new Map<string, { repository: string; tag: string }>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  of(repository: string, tag: RemoteTag): RemoteTag {
    return this.#known.get(`${repository}:${tag.name}`) ?? tag;
  }

  /** As an attachment of the row. */
  whileInSight(repository: string, tag: RemoteTag): (row: HTMLElement) => (() => void) | void {
    const key = `${repository}:${tag.name}`;
    return (row) => {
      if (tag.bytes !== null || this.#asked.has(key)) return;
      const observer = new IntersectionObserver((changes) => {
        if (changes.at(-1)?.isIntersecting) this.#inSight.set(key, { repository, tag: tag.name });
        else this.#inSight.delete(key);
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.#ask(), REST_MILLIS);
      });
      observer.observe(row);
      return () => {
        observer.disconnect();
        this.#inSight.delete(key);
      };
    };
  }

  leave(): void {
    clearTimeout(this.#timer);
  }

  async #ask(): Promise<void> {
    const wanted = [...this.#inSight].filter(([key]) => !this.#asked.has(key));
    const [first] = wanted;
    if (!first) return;
    for (const [key] of wanted) this.#asked.add(key);
    const reference = first[1].repository;
    try {
      const found = await call("image.tag_details", { reference, tags: wanted.map(([, { tag }]) => tag) });
      this.#known = new Map([...this.#known, ...found.map((tag) => [`${reference}:${tag.name}`, tag] as const)]);
    } catch {
      // The names are enough to pull by.
    }
  }
}
